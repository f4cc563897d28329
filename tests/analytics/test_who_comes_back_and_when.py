from typing import Any

import pytest

from regulars.analytics import metrics
from tests.analytics.conftest import Shop
from tests.analytics.world import World, day_of, month_of

JANUARY = month_of(day_of("2026-01-01"))


@pytest.fixture
def held(shop: Shop, world: World) -> Shop:
    """1: 1 Jan, 11 Jan, 21 Jan, 5 Mar; 2: twice on 31 Jan, 1 Feb; 3: 10 Feb; 4: no purchase."""
    for record in (1, 2, 3, 4):
        world.record(record)
    for number, (record, day) in enumerate(
        [
            (1, "2026-01-01"),
            (1, "2026-01-11"),
            (1, "2026-01-21"),
            (1, "2026-03-05"),
            (2, "2026-01-31"),
            (2, "2026-01-31"),
            (2, "2026-02-01"),
            (3, "2026-02-10"),
        ]
    ):
        world.order(f"o{number}", record, day_of(day), 100 + number)
    world.refund("o7", 3, day_of("2026-02-11"), 107).refund("x", 4, day_of("2026-02-11"), 5)
    return shop.hold(world)


def rows(shop: Shop, key: str, **parameters: Any) -> list[tuple[Any, ...]]:
    return sorted(shop.read(metrics.sql(key, **parameters)))


def test_retention_follows_a_cohort_month_by_month(held: Shop) -> None:
    assert rows(held, "retention") == [
        (JANUARY, 0, 2, 100 + 101 + 102 + 104 + 105, 512),
        (JANUARY, 1, 1, 106, 106),
        (JANUARY, 2, 1, 103, 103),
        (JANUARY + 1, 0, 1, 107, 0),
    ]
    assert rows(held, "retention", since_month=JANUARY + 1) == [(JANUARY + 1, 0, 1, 107, 0)]
    assert [row[:3] for row in rows(held, "retention", as_of=day_of("2026-01-31"))] == [(JANUARY, 0, 2)]


def test_time_between_purchases_counts_days_between_visits(held: Shop) -> None:
    assert rows(held, "time_between_purchases") == [(1, 1, 1), (10, 2, 1), (43, 1, 1)]


def test_second_orders_are_judged_by_those_observed_long_enough(held: Shop) -> None:
    columns = ("cohort", "customers", "ever", "observed_10", "within_10", "observed_30", "within_30")
    built = metrics.METRICS["second_order"].build(as_of=day_of("2026-03-11"), within=(10, 30))
    assert built.columns == columns
    assert rows(held, "second_order", as_of=day_of("2026-03-11"), within=(10, 30)) == [
        (JANUARY, 2, 2, 2, 2, 2, 2),
        (JANUARY + 1, 1, 0, 1, 0, 0, 0),
    ]
    assert rows(held, "second_order", as_of=day_of("2026-01-10"), within=(10,)) == [(JANUARY, 1, 0, 0, 0)]
