"""How customers' purchases follow each other."""

from dataclasses import dataclass

from regulars.warehouse.queries.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Gaps:
    """Days between successive purchase days of a customer: how many gaps of each length (in weeks), and quantiles."""

    weeks: list[tuple[int, int]]  # (weeks, gaps)
    gaps: int
    median: int | None
    p75: int | None
    p90: int | None


@dataclass(frozen=True, slots=True)
class SecondOrder:
    """Of the customers whose first order was in `month`: how many bought a second time within 30, 60, 90 days."""

    month: int
    customers: int
    within_30: int
    within_60: int
    within_90: int
    ever: int


def gaps(snapshot: Snapshot) -> Gaps:
    raise NotImplementedError


def second_orders(snapshot: Snapshot, *, months: int = 13) -> list[SecondOrder]:
    raise NotImplementedError
