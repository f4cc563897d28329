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
from regulars.warehouse.queries.snapshot import Page, Snapshot, answering, snapshot


def warm(snapshot: Snapshot) -> None:
    """Ask what pages ask of much history. Not the running day: that is told as it is."""
    for days in overview.SPANS:
        overview.figures(snapshot, days=days)
        overview.series(snapshot, days=days)
        overview.series(snapshot, days=2 * days)
    for span, period in sales.SPANS.items():
        since, until = (None, None) if span is None else (snapshot.as_of - span, snapshot.as_of - 1)
        sales.by_period(snapshot, period=period, since=since, until=until)
        sales.new_and_returning(snapshot, by=period, since=since, until=until)
        for dimension in sales.DIMENSIONS:
            sales.by(snapshot, dimension=dimension, since=since, until=until)
            if span is not None:
                sales.new_and_returning(snapshot, by=dimension, since=since, until=until)
    voice.nps(snapshot)
    voice.nps_by_month(snapshot)
    voice.nps_by_store(snapshot)
    voice.csat(snapshot)
    customers.stores_and_channels(snapshot)
    notices(snapshot)


__all__ = [
    "Page",
    "Snapshot",
    "answering",
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
