"""Questions over the whole history of customers, by metrics of analytics: answered when asked; for a business
so large that nobody should wait they are answered after each full refresh."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from regulars.analytics import engines, facts, metrics
from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.kernel import clock
from regulars.warehouse.queries.snapshot import Snapshot, remembered

KEYS = ("retention", "time_between_purchases", "second_order", "new_and_returning", "stage_flow")
MONTHS = 7


def sql_of(key: str, *, as_of: int, cutoffs: Cutoffs, thresholds: Thresholds, kept: bool = False) -> str:
    """`kept`: there is a table of facts.visits up to the day, which some of the questions share."""
    if key == "new_and_returning":
        sql = metrics.sql(key, by="month", until=as_of)
    elif key == "stage_flow":
        tomorrow = clock.day_of(as_of + 1)
        running = tomorrow.year * 12 + tomorrow.month - 1
        ends = metrics.month_ends(as_of, MONTHS)
        if tomorrow.day > 1:  # the running month, as far as it goes
            ends = (*ends, (running, as_of))
        # Of the population only the rhythm matters here: the rest would make a new statement of every refresh.
        sql = metrics.sql(key, months=ends, cutoffs=cutoffs, thresholds=Thresholds(gap=thresholds.gap), kept=kept)
    elif key == "second_order":
        sql = metrics.sql(key, as_of=as_of)
    else:
        sql = metrics.sql(key, as_of=as_of, kept=kept)
    return f"{sql} ORDER BY ALL"


def rows(snapshot: Snapshot, key: str) -> list[Any]:
    """The metric's rows, in order. Nothing before the first refresh."""
    if not snapshot.version:
        return []

    def ask() -> list[Any]:
        cutoffs = Cutoffs.from_json(snapshot.value("cutoffs", {}))
        thresholds = Thresholds.from_json(snapshot.value("thresholds", {}))
        return snapshot.read(
            sql_of(key, as_of=snapshot.as_of, cutoffs=cutoffs, thresholds=thresholds, kept=snapshot.folded)
        )

    return remembered(snapshot, ("answer", key), ask)


@contextmanager
def folded(snapshot: Snapshot) -> Iterator[Snapshot]:
    """The same moment, with what many questions share folded once."""
    for table, sql in (
        ("visits", engines.sql(facts.visits, as_of=snapshot.as_of)),
        ("placed", engines.sql(facts.placed)),
    ):
        snapshot.read(f"CREATE TEMP TABLE {table} AS {sql}")
    yield replace(snapshot, folded=True)
    for table in ("visits", "placed"):  # given up, they go with the snapshot
        snapshot.read(f"DROP TABLE {table}")


def warm(snapshot: Snapshot) -> Iterator[object]:
    """Ask them all."""
    for key in KEYS:
        yield rows(snapshot, key)
