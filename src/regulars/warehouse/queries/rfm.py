"""Recency, frequency, money: how many customers, and what they brought, in each cell and group."""

from dataclasses import dataclass

from regulars.analytics import metrics, rfm
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
    rows = snapshot.read(f"SELECT r, f, customers, net, m_sum FROM ({metrics.sql('rfm_matrix')}) ORDER BY r, f")  # noqa: S608
    return [Cell(r, f, customers, net, m_sum / customers) for r, f, customers, net, m_sum in rows]


def groups(snapshot: Snapshot) -> list[Group]:
    """All groups in the order of analytics.rfm, empty ones too."""
    rows = snapshot.read(f"SELECT rfm_group, customers, net, orders FROM ({metrics.sql('rfm_groups')})")  # noqa: S608
    found = {key: rest for key, *rest in rows}
    return [Group(key, *found.get(key, (0, 0, 0))) for key in rfm.GROUPS]
