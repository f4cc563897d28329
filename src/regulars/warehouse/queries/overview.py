"""How is the business doing: the last days against as many before them."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from regulars.analytics import metrics
from regulars.kernel import clock
from regulars.warehouse.queries.snapshot import Snapshot, among, remembered

SPANS = (7, 28, 90, 365)
"""Days that people look at."""
ASKED = (30, 60, 180)
"""Days that programs ask for besides."""
LONGEST = 2 * 366
"""Days that are told one by one in advance: those that programs can ask for, and as many before them."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the period and of the period before. Keys: gross, refunds (positive), adjustments, net, orders,
    buyers, new_buyers, returning_buyers, average_order (what was paid: discounts off, refunds not deducted)."""

    key: str
    now: int
    before: int

    @property
    def change(self) -> float | None:
        """Relative change: 0.1 is +10 %. None when there was nothing before."""
        return (self.now - self.before) / self.before if self.before else None


@dataclass(frozen=True, slots=True)
class Day:
    day: int
    gross: int
    refunds: int
    net: int
    orders: int
    buyers: int
    new_buyers: int

    @property
    def adjustments(self) -> int:
        """As of queries.sales.Sales."""
        return self.net - self.gross + self.refunds


def figures(snapshot: Snapshot, *, days: int = 28) -> dict[str, Figure]:
    """Figures by key of the last `days` days that are over, anonymous sales included in the money.

    The as-of day itself isn't in them (see `today`): half a day against whole ones would always look like a fall.
    """

    def ask() -> list[Any]:
        ends = ((snapshot.as_of - days, snapshot.as_of - 1), (snapshot.as_of - 2 * days, snapshot.as_of - days - 1))
        return [tuple(_buyers(snapshot, since, until) for since, until in ends)]

    def of(rows: list[Any], buyers: int) -> dict[str, int]:
        """All but buyers, who come on several days, are sums."""
        _, gross, refunds, net, orders, _, new, priced, spent = (sum(column) for column in zip(*rows, strict=True))
        return {
            "gross": gross, "refunds": refunds, "adjustments": net - gross + refunds, "net": net,
            "orders": orders, "buyers": buyers, "new_buyers": new, "returning_buyers": buyers - new,
            "average_order": (spent * 2 + priced) // (priced * 2) if priced else 0,
        }  # fmt: skip

    rows = _series(snapshot, 2 * days)
    buyers, buyers_before = remembered(snapshot, ("buyers", days), ask)[0]
    now, before = of(rows[days:], buyers), of(rows[:days], buyers_before)
    return {key: Figure(key, now[key], before[key]) for key in now}


def whole_days(snapshot: Snapshot, *, days: int = 28) -> tuple[date, date]:
    """The first and the last day of the period of `figures`."""
    return clock.day_of(snapshot.as_of - days), clock.day_of(snapshot.as_of - 1)


def series(snapshot: Snapshot, *, days: int = 28) -> list[Day]:
    """One row a day of the last `days` days that are over, days without sales included, oldest first."""
    return [Day(*row[:7]) for row in _series(snapshot, days)]


def _series(snapshot: Snapshot, days: int) -> list[Any]:
    # In advance the longest is answered, which holds all others.
    asked = LONGEST if days <= LONGEST and snapshot.knows(("series", LONGEST)) else days
    since, until = snapshot.as_of - asked, snapshot.as_of - 1
    rows = remembered(snapshot, ("series", asked), lambda: _days(snapshot, since, until))
    return rows[asked - days :]


def today(snapshot: Snapshot) -> Day:
    """The as-of day so far."""
    day = snapshot.as_of
    return Day(*remembered(snapshot, ("today",), lambda: _days(snapshot, day, day))[0][:7])


def _days(snapshot: Snapshot, since: int, until: int) -> list[Any]:
    """The columns of Day, then of how many orders what was spent is known, and how much."""
    sql = metrics.sql("sales", by="day", since=since, until=until, kept=snapshot.folded)
    found = snapshot.read(f"SELECT bucket, gross, refunded, net, orders, buyers, priced, spent FROM ({sql})")  # noqa: S608
    by_day: dict[int, tuple[int, ...]] = {day: tuple(rest) for day, *rest in found}
    new = _new_buyers(snapshot, since, until)
    nothing = (0,) * 7
    return [
        (day, *row[:5], new.get(day, 0), *row[5:])
        for day in range(since, until + 1)
        for row in [by_day.get(day, nothing)]
    ]


def _buyers(snapshot: Snapshot, since: int, until: int) -> int:
    """As metrics.sales.buyers counts them: different customers with a paid line."""
    sql = "SELECT record_id FROM lines WHERE paid AND kind = 'sale' AND day BETWEEN ? AND ?"
    records = snapshot.marked(sql, [since, until])
    theirs = snapshot.marked(f"SELECT customer_id FROM records WHERE {among(records, 'record_id')}")  # noqa: S608
    return int(snapshot.read(f"SELECT coalesce(bit_count(getvariable('{theirs}')), 0)")[0][0])


def _new_buyers(snapshot: Snapshot, since: int, until: int) -> dict[int, int]:
    """Customers by the day of their first purchase; as metrics.sales.new_and_returning says it, from the scores."""
    return dict(
        snapshot.read(
            "SELECT first_day, count(*) FROM scores WHERE first_day BETWEEN ? AND ? GROUP BY 1", [since, until]
        )
    )
