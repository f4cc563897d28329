from typing import Any

import pytest

from regulars.analytics import facts, metrics
from tests.analytics.conftest import Shop
from tests.analytics.world import TODAY, World, day_of, month_of, random_world

MONDAY = day_of("2026-05-04")
MAY = month_of(MONDAY)


@pytest.fixture
def sold(shop: Shop, world: World) -> Shop:
    world.record(1).record(2).record(3, root=1)
    world.order("A", 1, MONDAY - 30, 1_000, store="east", category="tea")
    world.order("B", 1, MONDAY, 2_000, 501, store="east", category="tea")
    world.order("C", 3, MONDAY + 1, 100, store="west", category="spa")  # 3 is 1 by another name
    world.order("D", 2, MONDAY + 7, 300, -20, store="west", category="tea")
    world.order("E", None, MONDAY + 7, 50, category=None)
    world.order("F", 2, MONDAY + 7, 9_999, store="west", home=False, category="tea")
    world.refund("B", 1, MONDAY + 8, 500, store="west", category="tea")
    return shop.hold(world)


def rows(shop: Shop, key: str, **parameters: Any) -> list[tuple[Any, ...]]:
    return sorted(shop.read(metrics.sql(key, **parameters)), key=repr)


def test_revenue_counts_refunds_on_the_day_they_are_made(sold: Shop) -> None:
    assert rows(sold, "revenue", by="day", since=MONDAY) == [
        (MONDAY, 2_501, 0, 2_501),
        (MONDAY + 1, 100, 0, 100),
        (MONDAY + 7, 350, 0, 330),
        (MONDAY + 8, 0, 500, -500),
    ]
    assert rows(sold, "revenue", by="all") == [("all", 3_951, 500, 3_431)]
    assert rows(sold, "revenue", by="store", until=MONDAY) == [("east", 3_501, 0, 3_501)]
    assert rows(sold, "revenue", by="category", since=MONDAY + 7) == [("", 50, 0, 50), ("tea", 300, 500, -220)]


def test_weeks_begin_on_monday(sold: Shop) -> None:
    week = (MONDAY + 3) // 7
    assert (week * 7 - 3, (MONDAY + 6 + 3) // 7) == (MONDAY, week)
    assert rows(sold, "orders", by="week", since=MONDAY) == [(week, 2, 0), (week + 1, 3, 1)]


def test_orders_count_once_and_say_how_many_are_anonymous(sold: Shop) -> None:
    assert rows(sold, "orders", by="month") == [(MAY - 1, 1, 0), (MAY, 5, 1)]
    assert rows(sold, "orders", by="store") == [("", 1, 1), ("east", 2, 0), ("west", 3, 0)]


def test_a_number_of_two_customers_or_stores_is_two_orders(shop: Shop, world: World) -> None:
    world.record(1).record(2)
    world.order("A", 1, MONDAY, 1_000, store="east")
    world.order("A", 2, MONDAY, 2_000, store="west")
    world.order("A", None, MONDAY, 400, store="north")
    shop.hold(world)
    assert rows(shop, "orders", by="all") == [("all", 3, 1)]
    assert rows(shop, "average_order", by="all") == [("all", 3, 3_400, 1_133)]


def test_the_average_order_is_rounded_half_up_and_leaves_foreign_orders_out(sold: Shop) -> None:
    assert rows(sold, "average_order", by="month") == [(MAY - 1, 1, 1_000, 1_000), (MAY, 4, 2_931, 733)]
    assert rows(sold, "average_order", by="store", since=MONDAY, until=MONDAY) == [("east", 1, 2_501, 2_501)]


def test_the_average_order_is_what_was_paid_less_coupons_but_not_less_refunds(shop: Shop, world: World) -> None:
    world.record(1)
    for number, coupon in enumerate((-2_000, -1_000, 500)):  # two coupons, and postage
        world.order(f"o{number}", 1, MONDAY, 10_000, coupon, category="tea")
        world.lines[-1] |= {"category": None, "paid": False}  # as the feed has what belongs to the whole order
    world.order("gift", 1, MONDAY, -300)  # nothing paid: no order
    world.refund("o0", 1, MONDAY + 1, 8_000)
    shop.hold(world)
    assert rows(shop, "average_order", by="all") == [("all", 3, 27_500, 9_167)]
    assert rows(shop, "average_order", by="category") == [("tea", 3, 30_000, 10_000)]
    assert [row[-1] for row in rows(shop, "sales", by="all")] == [9_167]


def test_a_merged_customer_is_one_buyer(sold: Shop) -> None:
    assert rows(sold, "buyers", by="all") == [("all", 2)]
    assert rows(sold, "buyers", by="store") == [("east", 1), ("west", 2)]
    assert rows(sold, "buyers", by="category", since=MONDAY) == [("spa", 1), ("tea", 2)]


def test_sales_are_the_four_in_one_table(sold: Shop) -> None:
    assert rows(sold, "sales", by="month") == [
        (MAY - 1, 1_000, 0, 1_000, 1, 0, 1, 1, 1_000, 1_000),
        (MAY, 2_951, 500, 2_431, 5, 1, 2, 4, 2_931, 733),
    ]
    for by in ("day", "store", "category"):
        averages = {bucket: average for bucket, _, _, average in rows(sold, "average_order", by=by)}
        assert {row[0]: row[-1] for row in rows(sold, "sales", by=by) if row[0] in averages} == averages


def test_a_buyer_is_new_in_the_month_of_the_first_purchase(sold: Shop) -> None:
    names = ["bucket", "new_buyers", "returning_buyers", "new_gross", "returning_gross", "new_net", "returning_net"]
    assert list(metrics.METRICS["new_and_returning"].build().columns) == names
    assert rows(sold, "new_and_returning", by="month") == [
        (MAY - 1, 1, 0, 1_000, 0, 1_000, 0),
        (MAY, 1, 1, 300, 2_601, 280, 2_101),
    ]
    assert rows(sold, "new_and_returning", by="store", since=MONDAY) == [
        ("east", 0, 1, 0, 2_501, 0, 2_001),
        ("west", 1, 1, 300, 100, 280, 100),
    ]


def test_by_category_a_buyer_brings_the_money_of_its_lines(sold: Shop) -> None:
    assert rows(sold, "new_and_returning", by="category", since=MONDAY) == [
        ("spa", 0, 1, 0, 100, 0, 100),
        ("tea", 1, 1, 300, 2_501, 280, 2_001),
    ]


def test_nothing_sold_gives_no_rows(shop: Shop, world: World) -> None:
    shop.hold(world)
    for key in ("revenue", "orders", "average_order", "buyers", "sales", "new_and_returning"):
        assert rows(shop, key, by="all") == []


def test_sales_folded_once_give_the_same_in_every_question(shop: Shop) -> None:
    shop.hold(random_world(5, customers=80))
    shop.keep("placed", facts.placed())
    found = []
    for by in ("all", "day", "week", "month", "store", "channel", "category"):
        for span in ({}, {"since": TODAY - 90, "until": TODAY - 1}):
            told = rows(shop, "sales", by=by, **span)
            assert rows(shop, "sales", by=by, kept=True, **span) == told
            found += told
    assert len(found) > 100
