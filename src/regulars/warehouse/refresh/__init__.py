"""Judging customers: everybody (full), or those whose events changed (live), by the same definitions of analytics.

standing    what the last full refresh was about, and whether another one is due
judging     scores out of figures, the last step of every refresh
in_file     where one process owns a DuckDB file
over_lake   where several processes share a lake
"""

from collections.abc import Callable

from regulars.warehouse import feed, lake
from regulars.warehouse.refresh import in_file, over_lake
from regulars.warehouse.refresh.in_file import idle
from regulars.warehouse.refresh.standing import State, as_of_day, due, state

__all__ = ["State", "as_of_day", "bring_up", "due", "full", "idle", "live", "state", "step"]


def step() -> bool:
    """One turn of the loop of full refreshes; True when there was something to do."""
    return over_lake.step() if lake.used() else in_file.step()


def bring_up(*, full_anyway: bool = False) -> State:
    """Take in what the log has and judge whom it changed: for who asks for figures of this very moment."""
    feed.catch_up()
    if full_anyway or due(patient=False) or state() is None:
        full()
    else:
        live()
    last = state()
    assert last is not None
    return last


def full(*, report: Callable[[int, int], None] | None = None, relearn: bool = True, anew: bool | None = None) -> State:
    """Judge everybody. `report(done, total)` is told of the steps. Two at once wait for each other.

    Without `relearn` by the thresholds and models of the last time, as a live refresh does it. `anew`: fold all events
    again, also where purchases and scores could be carried on.
    """
    told = report or (lambda done, total: None)
    if lake.used():
        return over_lake.full(told, relearn=relearn)
    return in_file.full(told, relearn=relearn, anew=anew)


def live() -> int:
    """Judge the customers whose events came since, by the thresholds and models of the last full refresh; how many.
    Nothing before the first full refresh.
    """
    return over_lake.live() if lake.used() else in_file.live()
