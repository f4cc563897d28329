"""Who is about to leave, and why: warned of and not lost. Warnings stay with the lost, who have left already."""

from dataclasses import dataclass
from typing import Any, Literal

from regulars.warehouse.queries.snapshot import Page, Snapshot, key_of, values_of

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


LEAVING = "warned AND stage <> 'lost'"
LEFT = "warned AND stage = 'lost'"


def totals(snapshot: Snapshot, *, lost: bool = False) -> Totals:
    """Of all warned customers who may still stay, or with `lost` of those already lost."""
    row = snapshot.read(
        f"""SELECT count(*), coalesce(sum(net), 0)::BIGINT, coalesce(sum(expected_value), 0)::BIGINT,
           count(*) FILTER (warn_silent), count(*) FILTER (warn_spend), count(*) FILTER (warn_overdue)
           FROM scores WHERE {LEFT if lost else LEAVING} AND NOT erased"""  # noqa: S608 (our own conditions)
    )[0]
    return Totals(*row)


def at_risk(snapshot: Snapshot, *, reason: Reason | None = None, lost: bool = False, after: str | None = None,
            limit: int = 50) -> Page[AtRisk]:  # fmt: skip
    """Warned customers who may still stay, or with `lost` those already lost; the worthiest (net spend) first."""
    where, params = f"{LEFT if lost else LEAVING} AND NOT erased", list[Any]()
    if reason is not None:
        where += {"silent": " AND warn_silent", "spend": " AND warn_spend", "overdue": " AND warn_overdue"}[reason]
    if after is not None:
        net, last = values_of(after, 2)
        where, params = where + " AND (net < ? OR (net = ? AND customer_id > ?))", [net, net, last]
    rows = snapshot.read(
        f"""SELECT customer_id, warn_silent, warn_spend, warn_overdue, silent_days, spend_recent, spend_before,
            gap_days, recency_days, last_day, orders, net, stage, rfm_group, p_alive, expected_value
            FROM scores WHERE {where} ORDER BY net DESC, customer_id LIMIT ?""",  # noqa: S608 (our own conditions)
        [*params, limit + 1],
    )
    found = [AtRisk(*row) for row in rows[:limit]]
    return Page(found, key_of(found[-1].net, found[-1].customer_id) if len(rows) > limit else None)
