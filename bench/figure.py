"""The shape in which every piece of work tells what it measured. A piece is a module of `bench` with

    def figures(size: Size) -> Iterator[Figure]

that is named in `bench.__main__.WORKS`. `python -m bench` runs each in a process of its own (so that nothing is warm and
memory is its own) and yields come out as they are found. A piece sets up what it needs under `folder()`, ends what it
started, and prints nothing (what it prints all the same goes to the terminal's error stream).
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Size:
    """How much work; growth asks for 1, 10 and 50 times. A piece whose work isn't made of customers and events takes its
    own measure from `times`.
    """

    times: int = 1

    @property
    def customers(self) -> int:
        return 20_000 * self.times

    @property
    def events(self) -> int:
        return 400_000 * self.times


@dataclass(frozen=True, slots=True)
class Figure:
    """`what` names no size (growth draws the same name at several sizes). `against` is a floor or a peer measured in the
    same run, `reference` its value in the same unit; the ratio is value / reference. `aim` is shown as it stands, with
    whether it was `reached`. `memory`: bytes, where the piece knows better than the peak of its whole family of
    processes (resident, shared pages counted in each) since the figure before. `note`: what a reader has to know.
    """

    what: str
    value: float
    unit: str  # "events/s", "rows/s", "s", "ms", "MB"
    against: str = ""
    reference: float | None = None
    aim: str = ""
    reached: bool | None = None
    memory: int | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.reference if self.reference else None


@contextmanager
def folder(name: str) -> Iterator[Path]:
    """A data folder for one piece, gone afterwards. On the disk of the repository, unless REGULARS_BENCH says where:
    /tmp may be memory, and syncing to memory proves nothing.
    """
    base = Path(os.environ.get("REGULARS_BENCH") or Path(__file__).parents[1] / "bench" / "results")
    base.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=base))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def django_on(home: Path) -> None:
    """Django, migrated, in this process, over that data folder. Once in a process."""
    os.environ["REGULARS_HOME"] = str(home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "regulars.settings"
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
