"""How is the business doing: the last days against as many before them."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from regulars.analytics import metrics
from regulars.kernel import clock
from regulars.warehouse.queries.snapshot import Snapshot, remembered

SPANS = (7, 28, 90, 365)
"""Days that people look at."""


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

    def of(since: int, until: int) -> dict[str, int]:
        sql = metrics.sql("sales", by="all", since=since, until=until, kept=snapshot.folded)
        found = snapshot.read(f"SELECT gross, refunded, net, orders, buyers, average FROM ({sql})")  # noqa: S608 (compiled)
        gross, refunds, net, orders, buyers, average = found[0] if found else (0, 0, 0, 0, 0, 0)
        new = _new_buyers(snapshot, since, until)
        return {
            "gross": gross, "refunds": refunds, "adjustments": net - gross + refunds, "net": net,
            "orders": orders, "buyers": buyers, "new_buyers": sum(new.values()),
            "returning_buyers": buyers - sum(new.values()), "average_order": average,
        }  # fmt: skip

    def ask() -> list[tuple[str, int, int]]:
        now = of(snapshot.as_of - days, snapshot.as_of - 1)
        before = of(snapshot.as_of - 2 * days, snapshot.as_of - days - 1)
        return [(key, now[key], before[key]) for key in now]

    return {row[0]: Figure(*row) for row in remembered(snapshot, ("figures", days), ask)}


def whole_days(snapshot: Snapshot, *, days: int = 28) -> tuple[date, date]:
    """The first and the last day of the period of `figures`."""
    return clock.day_of(snapshot.as_of - days), clock.day_of(snapshot.as_of - 1)


def series(snapshot: Snapshot, *, days: int = 28) -> list[Day]:
    """One row a day of the last `days` days that are over, days without sales included, oldest first."""
    # In advance the longest is answered, which holds all others.
    asked = max(days, SPANS[-1]) if snapshot.answered else days
    since, until = snapshot.as_of - asked, snapshot.as_of - 1
    rows = remembered(snapshot, ("series", asked), lambda: _days(snapshot, since, until))
    return [Day(*row) for row in rows[asked - days :]]


def today(snapshot: Snapshot) -> Day:
    """The as-of day so far."""
    day = snapshot.as_of
    return Day(*remembered(snapshot, ("today",), lambda: _days(snapshot, day, day))[0])


def _days(snapshot: Snapshot, since: int, until: int) -> list[Any]:
    sql = metrics.sql("sales", by="day", since=since, until=until, kept=snapshot.folded)
    found = snapshot.read(f"SELECT bucket, gross, refunded, net, orders, buyers FROM ({sql})")  # noqa: S608
    by_day: dict[int, tuple[int, ...]] = {day: tuple(rest) for day, *rest in found}
    new = _new_buyers(snapshot, since, until)
    return [(day, *by_day.get(day, (0, 0, 0, 0, 0)), new.get(day, 0)) for day in range(since, until + 1)]


def _new_buyers(snapshot: Snapshot, since: int, until: int) -> dict[int, int]:
    """Customers by the day of their first purchase; as metrics.sales.new_and_returning says it, from the scores."""
    return dict(
        snapshot.read(
            "SELECT first_day, count(*) FROM scores WHERE first_day BETWEEN ? AND ? GROUP BY 1", [since, until]
        )
    )
