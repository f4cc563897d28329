"""What customers say: scores of surveys."""

from dataclasses import dataclass

from regulars.warehouse.queries.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Nps:
    """Promoters (9–10) less detractors (0–6), in percent of the answers; None without answers."""

    answers: int
    promoters: int
    passives: int
    detractors: int

    @property
    def nps(self) -> float | None:
        return 100 * (self.promoters - self.detractors) / self.answers if self.answers else None


@dataclass(frozen=True, slots=True)
class Csat:
    """Share of answers of 4 or 5 on the scale of 1 to 5."""

    answers: int
    satisfied: int

    @property
    def csat(self) -> float | None:
        return self.satisfied / self.answers if self.answers else None


def nps(snapshot: Snapshot, *, days: int = 90) -> Nps:
    """Of the days up to the as-of day; of several answers of a customer the last."""
    raise NotImplementedError


def nps_by_month(snapshot: Snapshot, *, months: int = 13) -> list[tuple[int, Nps]]:
    raise NotImplementedError


def nps_by_store(snapshot: Snapshot, *, days: int = 90) -> list[tuple[str, Nps]]:
    raise NotImplementedError


def csat(snapshot: Snapshot, *, days: int = 90) -> Csat:
    raise NotImplementedError
