"""Lists of customers by their scores: filters, sorting, key pages."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from regulars.warehouse.queries.snapshot import Page, Snapshot


@dataclass(frozen=True, slots=True)
class Scores:
    """A customer's row; see analytics for what each means. None where there is no answer (no purchase yet)."""

    customer_id: int
    known: bool
    erased: bool
    orders: int
    gross: int
    net: int
    first_day: int | None
    last_day: int | None
    last_seen_day: int | None
    gap_days: int | None
    recency_days: int | None
    r: int | None
    f: int | None
    m: int | None
    rfm_group: str | None
    stage: str
    silent_days: int | None
    spend_recent: int
    spend_before: int
    warned: bool
    warn_silent: bool
    warn_spend: bool
    warn_overdue: bool
    p_alive: float | None
    expected_orders: float | None
    expected_value: int | None
    value_low: int | None
    value_high: int | None
    store: str | None
    channel: str | None


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a list: all given have to hold. Ranges are (from, to), both inclusive, either may be None."""

    stages: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    r: int | None = None
    f: int | None = None
    m: int | None = None
    stores: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    warned: bool | None = None
    known: bool | None = True  # None: anonymous visitors too
    ranges: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)  # column → from, to
    ids: tuple[int, ...] | None = None  # only these (a search's or a segment's)


SORTABLE: tuple[str, ...] = (
    "net", "gross", "orders", "last_day", "first_day", "last_seen_day", "recency_days", "gap_days", "p_alive",
    "expected_orders", "expected_value", "silent_days", "spend_recent", "spend_before", "customer_id",
)  # fmt: skip


def page(snapshot: Snapshot, *, filters: Filters = Filters(), sort: str = "net", descending: bool = True,
         after: str | None = None, limit: int = 50) -> Page[Scores]:  # fmt: skip
    """Customers in order of a column (ties by id; those without a value last). Raises Invalid for an unknown column."""
    raise NotImplementedError


def count(snapshot: Snapshot, *, filters: Filters = Filters()) -> int:
    raise NotImplementedError


def ids(snapshot: Snapshot, *, filters: Filters = Filters(), limit: int | None = None) -> list[int]:
    """All ids, ascending."""
    raise NotImplementedError


def scores_of(snapshot: Snapshot, customer_ids: Iterable[int]) -> dict[int, Scores]:
    """By id, those that have scores."""
    raise NotImplementedError


def stores_and_channels(snapshot: Snapshot) -> dict[str, list[Any]]:
    """{"stores": […], "channels": […]} that have customers, the largest first: for filters."""
    raise NotImplementedError
