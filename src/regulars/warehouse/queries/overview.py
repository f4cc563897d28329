"""How is the business doing: the last days against as many before them."""

from dataclasses import dataclass

from regulars.warehouse.queries.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the period and of the period before. Keys: gross, refunds (positive), net, orders, buyers,
    new_buyers, returning_buyers, average_order (net / orders, minor units, rounded half to even), lines."""

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


def figures(snapshot: Snapshot, *, days: int = 28) -> dict[str, Figure]:
    """Figures by key of the `days` days up to the as-of day (inclusive), anonymous sales included in the money."""
    raise NotImplementedError


def series(snapshot: Snapshot, *, days: int = 28) -> list[Day]:
    """One row a day, days without sales included, oldest first."""
    raise NotImplementedError
