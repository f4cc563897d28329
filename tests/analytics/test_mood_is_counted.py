from regulars.analytics import metrics
from tests.analytics.conftest import Shop
from tests.analytics.world import World, day_of, month_of

MAY = day_of("2026-05-01")
MONTH = month_of(MAY)


def test_the_last_answer_of_a_customer_counts_and_each_anonymous_one(shop: Shop, world: World) -> None:
    world.record(1).record(2, root=1).record(3)
    for record, day, kind, score in [
        (1, MAY, "nps", 0),
        (2, MAY + 1, "nps", 9),  # the same customer, later
        (3, MAY, "nps", 7),
        (3, MAY + 40, "nps", 6),  # another month
        (None, MAY, "nps", 6),
        (None, MAY, "nps", 10),
        (3, MAY + 2, "nps", 11),
        (3, MAY, "csat", 4),
        (1, MAY, "csat", 5),
        (1, MAY, "csat", 3),  # at the same moment: the later position
        (1, MAY, None, 5),
    ]:
        world.event("Survey Answered", record, day, category=kind, score=score)
    shop.hold(world)
    assert sorted(shop.read(metrics.sql("nps", by="month"))) == [(MONTH, 4, 2, 1), (MONTH + 1, 1, 0, 1)]
    assert shop.read(metrics.sql("nps", by="all")) == [("all", 4, 2, 2)]
    assert shop.read(metrics.sql("csat", by="month")) == [(MONTH, 2, 1, 7)]


def test_events_are_counted_by_name(shop: Shop, world: World) -> None:
    world.record(1).event("Page Viewed", 1, MAY).event("Page Viewed", 1, MAY).event("Page Viewed", None, MAY)
    shop.hold(world)
    assert shop.read(metrics.sql("events", by="day")) == [("Page Viewed", MAY, 3, 1)]
