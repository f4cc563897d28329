"""Erasing a person moves no figure, threshold or prediction; only lists of people lose them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from regulars.eventlog import dispatch
from regulars.kernel import clock
from regulars.warehouse import engine, feed, queries, refresh
from regulars.warehouse.queries.customers import Filters

Happened = Callable[..., None]
NOW = datetime(2026, 7, 1, 4, tzinfo=UTC)


@pytest.fixture
def shop(happened: Happened) -> Iterator[Happened]:
    """Twelve buyers of different habits, one who only left an address; 3 is silent, late and spends nothing now."""
    with clock.frozen(NOW):
        for who in range(1, 13):
            for visit in range(1 + who % 4):
                at = NOW - timedelta(days=9 * who + 30 * visit + (150 if who == 3 else 0))
                happened(
                    "Order Completed", who, f"{at:%Y-%m-%d %H:%M}", order_id=f"{who}-{visit}", total=10 * who + visit
                )
        for who in (1, 13):
            happened("Customer Identified", who, "2026-03-01 00:00", kinds=["email"])
        taken()
        refresh.full()
        yield happened


def taken() -> None:
    dispatch.number()
    feed.catch_up()


def statistics() -> dict[str, Any]:
    moment = queries.snapshot()
    return {
        "matrix": queries.rfm.matrix(moment),
        "groups": queries.rfm.groups(moment),
        "stages": queries.lifecycle.stages(moment),
        "flow": queries.lifecycle.flow(moment),
        "cohorts": queries.cohorts.retention(moment),
        "second": queries.rhythm.second_orders(moment),
        "gaps": queries.rhythm.gaps(moment),
        "sales": queries.overview.figures(moment, days=28),
        "learnt": [engine.meta(key) for key in ("thresholds", "model")],
        "scores": [replace(row, erased=False) for row in listed(Filters(erased=None))],
    }


def listed(filters: Filters) -> list[queries.customers.Scores]:
    return queries.customers.page(
        queries.snapshot(), filters=filters, sort="customer_id", descending=False, limit=100
    ).rows


def test_every_figure_stays_as_it_was_and_lists_lose_the_person(shop: Happened) -> None:
    before = statistics()
    assert sum(group.customers for group in before["groups"]) == 12
    assert sum(stage.customers for stage in before["stages"]) == 13
    assert sum(group.net for group in before["groups"]) == engine.read("SELECT sum(amount) FROM lines")[0][0]
    moment = queries.snapshot()
    at_risk = {lost: queries.risk.totals(moment, lost=lost).customers for lost in (False, True)}
    [silent] = [row for row in before["scores"] if row.customer_id == 3]
    assert silent.warned
    for who in (3, 8, 13):
        shop("Customer Erased", who, "2026-07-01 03:00", records=1)
    taken()
    refresh.live()
    assert statistics() == before
    refresh.full(anew=True)
    assert statistics() == before
    assert [row.customer_id for row in listed(Filters())] == [1, 2, 4, 5, 6, 7, 9, 10, 11, 12]
    assert [row.customer_id for row in listed(Filters(erased=True))] == [3, 8, 13]
    moment = queries.snapshot()
    lost = silent.stage == "lost"
    assert queries.risk.totals(moment, lost=lost).customers == at_risk[lost] - 1
    assert 3 not in [row.customer_id for row in queries.risk.at_risk(moment, lost=lost).rows]


def test_days_later_the_figures_are_those_of_a_business_that_erased_nobody(shop: Happened) -> None:
    with clock.frozen(NOW + timedelta(days=20)):
        refresh.full()
        never = statistics()
    with clock.frozen(NOW):
        refresh.full()
        shop("Customer Erased", 8, "2026-07-01 03:00", records=1)
        taken()
        refresh.live()
    with clock.frozen(NOW + timedelta(days=20)):
        refresh.full()  # carried on from the scores that stand
        assert statistics() == never
