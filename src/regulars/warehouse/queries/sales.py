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
SPANS: dict[int | None, Period] = {7: "day", 28: "day", 90: "day", 365: "week", None: "month"}
"""The last days that people look at (None: the whole history), and by what."""


@dataclass(frozen=True, slots=True)
class Sales:
    """`key`: first day of the day or week, month number, or the store, channel, category, product ("" unknown)."""

    key: int | str
    gross: int
    refunds: int
    net: int
    orders: int
    buyers: int
    average: int

    @property
    def adjustments(self) -> int:
        """Discounts (negative) and fees such as postage: gross + these − refunds = net."""
        return self.net - self.gross + self.refunds


@dataclass(frozen=True, slots=True)
class Buyers:
    """Who bought: for the first time, or again; anonymous sales apart. `key` as that of Sales."""

    key: int | str
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


def whole(snapshot: Snapshot) -> Sales | None:
    """Of the whole history, the running day included; None before the first sale. Its `key` says nothing."""
    return next(iter(_sales(snapshot, "all", None, None)), None)


def _sales(snapshot: Snapshot, by: Any, since: int | None, until: int | None) -> list[Sales]:
    """Buckets of a week become the first day of it."""
    until = snapshot.as_of if until is None else min(until, snapshot.as_of)

    def ask() -> list[Any]:
        sql = metrics.sql("sales", by=by, since=since, until=until, kept=snapshot.folded)
        columns = "bucket, gross, refunded, net, orders, buyers, average"
        return snapshot.read(f"SELECT {columns} FROM ({sql})")  # noqa: S608 (compiled)

    rows = remembered(snapshot, ("sales", by, since, until), ask)
    return [Sales(_key(by, key), *rest) for key, *rest in rows]


def _key(by: Any, bucket: Any) -> Any:
    return bucket * 7 - 3 if by == "week" else bucket


def new_and_returning(snapshot: Snapshot, *, by: Period | Dimension = "month", since: int | None = None,
                      until: int | None = None) -> list[Buyers]:  # fmt: skip
    """By time the oldest first, else the one with most buyers first. Without `since` nobody is new in a store, channel,
    category or product: everybody came at some time for the first time.
    """
    until = snapshot.as_of if until is None else min(until, snapshot.as_of)

    def ask() -> list[Any]:
        return snapshot.read(metrics.sql("new_and_returning", by=by, since=since, until=until))

    whole = by == "month" and since is None and until == snapshot.as_of
    rows = (
        answers.rows(snapshot, "new_and_returning")
        if whole
        else remembered(snapshot, ("new_and_returning", by, since, until), ask)
    )
    found = [
        Buyers(_key(by, key), new, returning, net_new, net_returning)
        for key, new, returning, _, _, net_new, net_returning in rows
    ]
    if by in PERIODS:
        return sorted(found, key=lambda row: row.key)
    return sorted(found, key=lambda row: (-row.new - row.returning, str(row.key)))
