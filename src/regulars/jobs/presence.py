"""Which processes are at work and how their loops fare: each says it of itself, in one row that it writes every few
seconds, so that others (the console, whoever balances) know it too.

A data folder has one owner: machine, folder and name are one process, and a new one takes over the row of the dead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from regulars.jobs.models import Process
from regulars.kernel import clock

OFTEN = 3
"""Failures in a row that people are told of."""

EVERY = timedelta(seconds=10)
"""Between two signs of life of a process whose loops fare as before."""

SILENT = timedelta(seconds=60)
"""Without a sign of life for so long, a process is taken for dead or stuck."""

GONE = timedelta(minutes=10)
"""After that its row goes."""


@dataclass(frozen=True, slots=True)
class LoopView:
    """`failures`: how often in a row, with the error of the last time."""

    name: str
    failures: int
    error: str
    last_at: datetime | None

    @property
    def failing(self) -> bool:
        return self.failures >= OFTEN


@dataclass(frozen=True, slots=True)
class ProcessView:
    name: str
    host: str
    folder: str
    seen_at: datetime
    silent: bool
    loops: tuple[LoopView, ...]


def report(*, host: str, folder: str, name: str, loops: Sequence[LoopView]) -> None:
    """Say that this process lives and how its loops fare; sweep the rows of those that are gone."""
    now = clock.now()
    told = [
        {"name": one.name, "failures": one.failures, "error": one.error, "last": one.last_at.isoformat()}
        for one in loops
        if one.last_at is not None  # it has begun
    ]
    Process.objects.bulk_create(
        [Process(host=host[:200], folder=folder[:500], name=name, seen_at=now, loops=told)],
        update_conflicts=True, unique_fields=["host", "folder", "name"], update_fields=["seen_at", "loops"],
    )  # fmt: skip
    Process.objects.filter(seen_at__lt=now - GONE).delete()


def leave(*, host: str, folder: str, name: str) -> None:
    """This process ends as it should."""
    Process.objects.filter(host=host[:200], folder=folder[:500], name=name).delete()


def processes() -> list[ProcessView]:
    """All that are at work, by name and host."""
    now = clock.now()
    return [
        ProcessView(
            row.name, row.host, row.folder, row.seen_at, now - row.seen_at > SILENT,
            tuple(
                LoopView(one["name"], one["failures"], one["error"], datetime.fromisoformat(one["last"]))
                for one in row.loops
            ),
        )
        for row in Process.objects.order_by("name", "host", "id")
    ]  # fmt: skip
