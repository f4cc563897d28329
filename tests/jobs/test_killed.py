"""A job across the real death of its process."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.house.conftest import ROOT, Server

WORK = """
import os, sys, threading
from pathlib import Path
os.environ["DJANGO_SETTINGS_MODULE"] = "regulars.settings"
import django; django.setup()
from django.core.management import call_command
from regulars.accounts.actors import SYSTEM
from regulars.jobs import queries, running, services, worker
from regulars.kernel.languages import Text

seen = Path(os.environ["REGULARS_HOME"]) / "seen"

def count(progress, n):
    for step in range(progress.state.get("next", 0), n):
        with seen.open("a") as file:
            file.write(f"{step}\\n")
        progress.save_state({"next": step + 1})
        if sys.argv[1] == "first" and step == 3:
            threading.Event().wait()  # until it is killed
    return {"counted": n}

call_command("migrate", verbosity=0)
running.kinds({"count": count})
if sys.argv[1] == "first":
    services.start("count", by=SYSTEM, arguments={"n": 6}, title=Text("Count", "数数"))
worker.revive(alone=True)
worker.run_ready()
job = queries.jobs(by=SYSTEM)[0]
import json
print(json.dumps([job.state, job.result]))
"""


def test_a_job_goes_on_where_it_was_after_kill_9(tmp_path: Path, wait_for: Callable[..., None]) -> None:
    home = tmp_path / "home"
    environment = Server(home).environment
    seen = home / "seen"
    first = subprocess.Popen([sys.executable, "-c", WORK, "first"], env=environment, cwd=ROOT)
    try:
        wait_for(lambda: first.poll() is not None or (seen.exists() and "3" in seen.read_text().split()), 60)
        assert first.poll() is None
    finally:
        first.kill()
        first.wait(20)
    second = subprocess.run(
        [sys.executable, "-c", WORK, "second"], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    assert json.loads(second.stdout) == ["done", {"counted": 6}]
    steps = [int(step) for step in seen.read_text().split()]
    assert steps in ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 3, 4, 5]), "at most the step that wasn't committed comes again"
