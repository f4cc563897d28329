"""What pages, the API and the command line ask of the warehouse: one module per question.

Every function takes the `Snapshot` that `snapshot()` gave, so that a page sees one moment. Money is minor units of the
business's currency, days are numbers (kernel.clock.day_of), months are year * 12 + month - 1. Customers are ids of
roots; names come from customers.queries.by_ids.
"""

from regulars.warehouse.queries import (
    cohorts,
    customer,
    customers,
    lifecycle,
    overview,
    rfm,
    rhythm,
    risk,
    sales,
    voice,
)
from regulars.warehouse.queries.history import history
from regulars.warehouse.queries.notices import notices
from regulars.warehouse.queries.snapshot import Page, Snapshot, snapshot


def warm(snapshot: Snapshot) -> None:
    """Ask what pages ask first, so that the answers are remembered when somebody comes."""
    for days in (7, 28, 90):
        overview.figures(snapshot, days=days)
        overview.series(snapshot, days=days)
    for period in sales.PERIODS:
        sales.by_period(snapshot, period=period)
    for dimension in sales.DIMENSIONS:
        sales.by(snapshot, dimension=dimension)
    voice.nps(snapshot)
    voice.nps_by_month(snapshot)
    notices(snapshot)


__all__ = [
    "Page",
    "Snapshot",
    "cohorts",
    "customer",
    "customers",
    "history",
    "lifecycle",
    "notices",
    "overview",
    "rfm",
    "rhythm",
    "risk",
    "sales",
    "snapshot",
    "voice",
    "warm",
]
