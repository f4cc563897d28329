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
]
