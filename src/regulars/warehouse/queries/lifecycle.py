"""Where customers are in their life with the business, and how they move."""

from dataclasses import dataclass

from regulars.warehouse.queries.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Stage:
    """`key`: potential, new, active, dormant, lost."""

    key: str
    customers: int
    net: int


@dataclass(frozen=True, slots=True)
class Flow:
    """So many were in `source` at the end of the month before `month` and in `target` at its end ("" as source: they
    weren't customers yet)."""

    month: int
    source: str
    target: str
    customers: int


def stages(snapshot: Snapshot) -> list[Stage]:
    """All five in order, empty ones too."""
    raise NotImplementedError


def flow(snapshot: Snapshot, *, months: int = 6) -> list[Flow]:
    """The last `months` months, the running one judged as of the as-of day."""
    raise NotImplementedError
