"""The made-up world in a data folder, for pieces that need a business at work. Loading a large one takes long, so it is
kept between runs: in REGULARS_BENCH_WORLDS, or under /tmp. Whoever adds more than a few events works on a copy.
"""

import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from bench.figure import Size

LOAD = """
import os, sys
from datetime import date
from bench.figure import django_on
from pathlib import Path
django_on(Path(sys.argv[1]))
from regulars.accounts.actors import SYSTEM
from regulars.demo import loading, people
from regulars.demo.world import world
from regulars.warehouse import engine, refresh
people.employ(by=SYSTEM)
loading.load(world(1, int(sys.argv[2]), date.fromisoformat(sys.argv[3]), browsing=0.15), by=SYSTEM,
             report=lambda what, many: print(f"{many:,} {what}", flush=True) if many % 500_000 < 20_000 else None)
refresh.full()
engine.close()
"""


def loaded(size: Size) -> Path:
    """The data folder of a world of that size (about 20 events a customer, everybody who works in the demo)."""
    base = Path(os.environ.get("REGULARS_BENCH_WORLDS") or Path(tempfile.gettempdir()) / "regulars-bench")
    home, done = base / f"world-{size.times}", base / f"world-{size.times}.done"
    if done.exists():
        return home
    from regulars.kernel import clock

    yesterday = clock.now().date() - timedelta(days=1)
    subprocess.run([sys.executable, "-c", LOAD, home, str(size.customers), yesterday.isoformat()], check=True)
    done.touch()
    return home
