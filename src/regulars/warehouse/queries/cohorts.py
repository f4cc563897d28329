"""Do customers come back: those who first bought in a month, month by month after it."""

from dataclasses import dataclass

from regulars.kernel import clock
from regulars.warehouse.queries import answers
from regulars.warehouse.queries.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Cohort:
    """`buyers[n]` of the `size` customers bought in the n-th month after their first (buyers[0] is size); `net[n]`
    is what they brought. Only months that have ended or begun by the as-of day are listed."""

    month: int
    size: int
    buyers: tuple[int, ...]
    net: tuple[int, ...]

    def share(self, n: int) -> float:
        return self.buyers[n] / self.size


def retention(snapshot: Snapshot, *, months: int = 13) -> list[Cohort]:
    """The last `months` cohorts with anybody in them, oldest first, at most `months` columns."""
    rows = answers.rows(snapshot, "retention")
    found: dict[int, dict[int, tuple[int, int]]] = {}
    for cohort, since, customers, _, net in rows:
        found.setdefault(cohort, {})[since] = (customers, net)
    today = clock.day_of(snapshot.as_of)
    this_month = today.year * 12 + today.month - 1
    cohorts = []
    for month in sorted(found)[-months:]:
        cells = [found[month].get(n, (0, 0)) for n in range(min(months, this_month - month + 1))]
        cohorts.append(Cohort(month, cells[0][0], tuple(c[0] for c in cells), tuple(c[1] for c in cells)))
    return cohorts
