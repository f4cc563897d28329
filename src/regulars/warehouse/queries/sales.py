"""What was sold, when, where, of which kind."""

from dataclasses import dataclass
from typing import Literal

from regulars.warehouse.queries.snapshot import Snapshot

Period = Literal["day", "week", "month"]
Dimension = Literal["store", "channel", "category", "product"]


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
    """Who bought in a month: for the first time, or again."""

    month: int
    new: int
    returning: int
    net_new: int
    net_returning: int


def by_period(snapshot: Snapshot, *, period: Period = "month", since: int | None = None, until: int | None = None,
              ) -> list[Sales]:  # fmt: skip
    """From day `since` to before day `until` (the whole history when not given), oldest first."""
    raise NotImplementedError


def by(snapshot: Snapshot, *, dimension: Dimension, since: int | None = None, until: int | None = None,
       limit: int = 50) -> list[Sales]:  # fmt: skip
    """The largest by net first."""
    raise NotImplementedError


def new_and_returning(snapshot: Snapshot, *, months: int = 24) -> list[Buyers]:
    raise NotImplementedError
