"""One customer: scores, orders, mood."""

from dataclasses import dataclass

from regulars.warehouse.queries.customers import Scores
from regulars.warehouse.queries.snapshot import Page, Snapshot


@dataclass(frozen=True, slots=True)
class Line:
    product_id: str
    name: str
    category: str
    quantity: int  # thousandths
    amount: int
    kind: str  # sale, refund
    day: int
    currency: str
    home: bool


@dataclass(frozen=True, slots=True)
class Order:
    order_id: str
    at: int  # µs
    day: int
    store: str
    channel: str
    gross: int
    refunds: int
    net: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Mood:
    """The last scores given: NPS 0–10, CSAT 1–5; None when never asked."""

    nps: int | None
    nps_day: int | None
    csat: int | None
    csat_day: int | None
    complaints: int  # in the last 365 days


def scores(snapshot: Snapshot, customer_id: int) -> Scores | None:
    raise NotImplementedError


def orders(snapshot: Snapshot, customer_id: int, *, after: str | None = None, limit: int = 20) -> Page[Order]:
    """Newest first, with their lines; refunds stand with the order they belong to."""
    raise NotImplementedError


def mood(snapshot: Snapshot, customer_id: int) -> Mood:
    raise NotImplementedError


def spend_by_month(snapshot: Snapshot, customer_id: int, *, months: int = 24) -> list[tuple[int, int]]:
    """(month, net) of the last months, those without purchases included."""
    raise NotImplementedError
