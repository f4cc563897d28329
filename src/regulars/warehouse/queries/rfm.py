"""Recency, frequency, money: how many customers, and what they brought, in each cell and group."""

from dataclasses import dataclass

from regulars.warehouse.queries.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Cell:
    r: int
    f: int
    customers: int
    net: int
    m: float  # mean money class


@dataclass(frozen=True, slots=True)
class Group:
    """`key` as in analytics.rfm."""

    key: str
    customers: int
    net: int
    orders: int


def matrix(snapshot: Snapshot) -> list[Cell]:
    """Cells with anybody in them, by r and f (5 is best)."""
    raise NotImplementedError


def groups(snapshot: Snapshot) -> list[Group]:
    """All groups in the order of analytics.rfm, empty ones too."""
    raise NotImplementedError
