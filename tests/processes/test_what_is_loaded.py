"""What the parent, tracking and intake hold in memory: nothing of analytics, which is a hundred megabytes."""

import subprocess
import sys
from pathlib import Path

from tests.house.test_serve import DJANGO

ROOT = Path(__file__).parents[2]
LOADED = """
from regulars.cli import serve, web
from regulars.eventlog.ingest import door
from regulars.processes import answering, family, forwarding, health, roles
from regulars.wiring import control, loops, receiving
print(sorted({"duckdb", "ibis", "numpy", "pyarrow", "scipy"} & set(sys.modules)))
"""


def test_who_only_watches_accepts_or_takes_in_loads_no_analytics(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", DJANGO + LOADED], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
        env={"PYTHONPATH": str(ROOT / "src"), "REGULARS_HOME": str(tmp_path)},
    )  # fmt: skip
    assert told.stdout.strip() == "[]"
