"""What pages, the API and the command line ask of the warehouse: one module per question.

Every function takes the `Snapshot` that `snapshot()` gave, so that a page sees one moment. Money is minor units of the
business's currency, days are numbers (kernel.clock.day_of), months are year * 12 + month - 1. Customers are ids of
roots; names come from customers.queries.by_ids.
"""

from collections.abc import Iterator

from regulars.warehouse.queries import (
    answers,
    cohorts,
    customer,
    customers,
    lifecycle,
    losses,
    overview,
    rfm,
    rhythm,
    risk,
    sales,
    voice,
)
from regulars.warehouse.queries.history import history
from regulars.warehouse.queries.notices import notices
from regulars.warehouse.queries.snapshot import LARGE, Page, Snapshot, answered, snapshot


def first_asked() -> Iterator[object]:
    """Ask what the first pages do, a question at a time; of a large business only if it was answered in advance."""
    now = snapshot()
    if not now.version or (now.value("refresh")["customers"] >= LARGE and not now.answered):
        return
    yield overview.figures(now, days=7)
    yield overview.series(now, days=14)
    yield overview.today(now)
    yield lifecycle.newly_lost(now)
    yield lifecycle.stages(now)
    yield risk.totals(now)
    quarter = {"since": now.as_of - 90, "until": now.as_of - 1}
    yield sales.by_period(now, period="day", **quarter)
    yield sales.by(now, dimension="store", **quarter)
    yield sales.new_and_returning(now, by="day", **quarter)
    yield sales.new_and_returning(now, by="store", **quarter)
    yield voice.nps(now)
    yield voice.nps_by_month(now)
    yield voice.nps_by_store(now)
    yield voice.csat(now)
    if not now.answered:
        with answers.folded(now) as whole:
            yield from answers.warm(whole)


def warm(snapshot: Snapshot) -> Iterator[object]:
    """Ask what pages ask of much history, a question at a time. Not the running day: that is told as it is."""
    with answers.folded(snapshot) as whole:
        yield overview.series(whole, days=overview.LONGEST)
        for days in (*overview.SPANS, *overview.ASKED):
            yield overview.figures(whole, days=days)
        yield from answers.warm(whole)
        yield sales.whole(whole)
        for span, period in sales.SPANS.items():
            since, until = (None, None) if span is None else (whole.as_of - span, whole.as_of - 1)
            yield sales.by_period(whole, period=period, since=since, until=until)
            yield sales.new_and_returning(whole, by=period, since=since, until=until)
            for dimension in sales.DIMENSIONS:
                yield sales.by(whole, dimension=dimension, since=since, until=until)
                if span is not None:
                    yield sales.new_and_returning(whole, by=dimension, since=since, until=until)
        yield voice.nps(whole)
        yield voice.nps_by_month(whole)
        yield voice.nps_by_store(whole)
        yield voice.csat(whole)
        yield customers.stores_and_channels(whole)
        yield notices(whole)


__all__ = [
    "Page",
    "Snapshot",
    "answered",
    "cohorts",
    "customer",
    "customers",
    "first_asked",
    "history",
    "lifecycle",
    "losses",
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
