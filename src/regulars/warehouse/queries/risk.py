"""Who is about to leave, and why."""

from dataclasses import dataclass
from typing import Literal

from regulars.warehouse.queries.snapshot import Page, Snapshot

Reason = Literal["silent", "spend", "overdue"]


@dataclass(frozen=True, slots=True)
class AtRisk:
    customer_id: int
    silent: bool  # no interaction for over N days
    spend: bool  # spend down by P
    overdue: bool  # beyond the own rhythm
    silent_days: int
    spend_recent: int
    spend_before: int
    gap_days: int | None  # the usual time between purchases
    recency_days: int | None
    last_day: int | None
    orders: int
    net: int
    stage: str
    rfm_group: str
    p_alive: float | None
    expected_value: int | None


@dataclass(frozen=True, slots=True)
class Totals:
    customers: int
    net: int
    expected_value: int
    silent: int
    spend: int
    overdue: int


def totals(snapshot: Snapshot) -> Totals:
    """Of all warned customers."""
    raise NotImplementedError


def at_risk(snapshot: Snapshot, *, reason: Reason | None = None, after: str | None = None, limit: int = 50,
            ) -> Page[AtRisk]:  # fmt: skip
    """Warned customers, the worthiest (net spend) first."""
    raise NotImplementedError
