"""What was sold, when, where, of which kind."""

from dataclasses import dataclass
from typing import Any, Literal

from regulars.analytics import metrics
from regulars.warehouse.queries import answers
from regulars.warehouse.queries.snapshot import Snapshot, remembered

Period = Literal["day", "week", "month"]
Dimension = Literal["store", "channel", "category", "product"]
PERIODS: tuple[Period, ...] = ("day", "week", "month")
DIMENSIONS: tuple[Dimension, ...] = ("store", "channel", "category", "product")


@dataclass(frozen=True, slots=True)
class Sales:
    """`key`: first day of the day or week, month number, or the store, channel, category, product ("" unknown)."""

    key: int | str
    gross: int
    refunds: int
    net: int
    orders: int
    buyers: int


@dataclass(frozen=True, slots=True)
class Buyers:
    """Who bought in a month: for the first time, or again; anonymous sales apart."""

    month: int
    new: int
    returning: int
    net_new: int
    net_returning: int


def by_period(snapshot: Snapshot, *, period: Period = "month", since: int | None = None, until: int | None = None,
              ) -> list[Sales]:  # fmt: skip
    """From day `since` to day `until`, both included (the whole history when not given), oldest first."""
    return sorted(_sales(snapshot, period, since, until), key=lambda row: row.key)


def by(snapshot: Snapshot, *, dimension: Dimension, since: int | None = None, until: int | None = None,
       limit: int = 50) -> list[Sales]:  # fmt: skip
    """The largest by net first."""
    rows = _sales(snapshot, dimension, since, until)
    return sorted(rows, key=lambda row: (-row.net, str(row.key)))[:limit]


def _sales(snapshot: Snapshot, by: Any, since: int | None, until: int | None) -> list[Sales]:
    """Buckets of a week become the first day of it."""
    until = snapshot.as_of if until is None else min(until, snapshot.as_of)

    def ask() -> list[Sales]:
        sql = metrics.sql("sales", by=by, since=since, until=until)
        rows = snapshot.read(f"SELECT bucket, gross, refunded, net, orders, buyers FROM ({sql})")  # noqa: S608 (compiled)
        return [Sales(key * 7 - 3 if by == "week" else key, *rest) for key, *rest in rows]

    return remembered(snapshot, ("sales", by, since, until), ask)


def new_and_returning(snapshot: Snapshot, *, months: int = 24) -> list[Buyers]:
    rows = answers.rows(snapshot, "new_and_returning")
    return [
        Buyers(month, new, returning, net_new, net_returning)
        for month, new, returning, _, _, net_new, net_returning in rows[-months:]
    ]
