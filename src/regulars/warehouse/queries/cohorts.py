"""Do customers come back: those who first bought in a month, month by month after it."""

from dataclasses import dataclass

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
    """The last `months` cohorts, oldest first, at most `months` columns."""
    raise NotImplementedError
