from regulars.analytics.facts import PURCHASES, purchases, visits
from tests.analytics.conftest import Shop
from tests.analytics.world import World, day_of, month_of

MAY = day_of("2026-05-01")


def folded(shop: Shop, world: World, *names: str) -> list[tuple[object, ...]]:
    shop.hold(world)
    return sorted(shop.read(purchases().select(*names)), key=repr)


def test_lines_of_one_order_are_one_purchase_of_the_root(shop: Shop, world: World) -> None:
    world.record(1).record(2, root=1)
    world.order("A", 2, MAY, 1_000, 250, 0, store="east", channel="online")
    assert folded(shop, world, *PURCHASES.columns) == [
        (1, "A", MAY * 86_400_000_000 + 36_000_000_000, MAY, month_of(MAY), "east", "online", 1_250, 0, 1_250, 2)
    ]


def test_a_refund_weighs_on_the_day_and_store_of_its_order(shop: Shop, world: World) -> None:
    world.record(1).order("A", 1, MAY, 1_000, store="west")
    world.refund("A", 1, MAY + 40, 300, store="east")
    assert folded(shop, world, "order_id", "day", "store", "gross", "refunded", "net", "lines") == [
        ("A", MAY, "west", 1_000, 300, 700, 1)
    ]


def test_a_refund_under_its_own_number_is_money_but_no_purchase(shop: Shop, world: World) -> None:
    world.record(1).order("A", 1, MAY, 1_000).refund("R", 1, MAY + 3, 300, store="east")
    columns = ("order_id", "day", "month", "store", "gross", "refunded", "net", "lines")
    assert folded(shop, world, *columns) == [
        ("A", MAY, month_of(MAY), None, 1_000, 0, 1_000, 1),
        ("R", MAY + 3, month_of(MAY), None, 0, 300, -300, 0),
    ]
    assert shop.read(visits()) == [(1, MAY, month_of(MAY), 1, 1_000, 1_000)]


def test_a_discount_on_the_order_lowers_net_alone(shop: Shop, world: World) -> None:
    world.record(1).order("A", 1, MAY, 1_000, -100)
    assert folded(shop, world, "gross", "refunded", "net", "lines") == [(1_000, 0, 900, 1)]


def test_a_foreign_order_is_a_purchase_without_money(shop: Shop, world: World) -> None:
    world.record(1).order("A", 1, MAY, 1_000, home=False)
    assert folded(shop, world, "gross", "net", "lines") == [(0, 0, 1)]


def test_anonymous_sales_are_no_purchases_and_orders_without_number_stand_alone(shop: Shop, world: World) -> None:
    world.record(1).order("A", None, MAY, 1_000).order(None, 1, MAY, 10).order(None, 1, MAY, 20)
    assert folded(shop, world, "order_id", "gross") == [("#2", 10), ("#3", 20)]
