"""How customers' purchases follow each other."""

from dataclasses import dataclass

from regulars.warehouse.queries import answers
from regulars.warehouse.queries.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Gaps:
    """Days from one purchase day of a customer to the next: how many of each length (in whole weeks), and quantiles."""

    weeks: list[tuple[int, int]]  # (weeks, gaps)
    gaps: int
    median: int | None
    p75: int | None
    p90: int | None


@dataclass(frozen=True, slots=True)
class SecondOrder:
    """Of the customers whose first order was in `month`: how many came again (on a later day) within 30, 60, 90 days.

    The rate within N days is within_N / observed_N: only who first bought at least N days ago can be judged.
    """

    month: int
    customers: int
    ever: int
    observed_30: int
    within_30: int
    observed_60: int
    within_60: int
    observed_90: int
    within_90: int


def gaps(snapshot: Snapshot) -> Gaps:
    rows = answers.rows(snapshot, "time_between_purchases")
    weeks: dict[int, int] = {}
    for days, times, _ in rows:
        weeks[days // 7] = weeks.get(days // 7, 0) + times
    total = sum(weeks.values())

    def quantile(percent: int) -> int | None:
        """The nearest rank: the least gap that at least so many percent don't exceed."""
        up_to = 0
        for days, times, _ in rows:
            up_to += times
            if up_to * 100 >= total * percent:
                return int(days)
        return None

    return Gaps(sorted(weeks.items()), total, quantile(50), quantile(75), quantile(90))


def second_orders(snapshot: Snapshot, *, months: int = 13) -> list[SecondOrder]:
    return [SecondOrder(*row) for row in answers.rows(snapshot, "second_order")[-months:]]
