"""What the last word of a customer says of their mood, and what their orders say of their taste."""

import pytest

from regulars.analytics import traits
from regulars.analytics.cutoffs import Thresholds
from tests.analytics.conftest import Shop
from tests.analytics.test_customers_are_judged import TODAY, judged
from tests.analytics.world import World

DEAR = Thresholds(basket=(100, 200, 400, 800))


@pytest.mark.parametrize(
    ("kind", "score", "mood"),
    [
        ("nps", 10, "happy"),
        ("nps", 9, "happy"),
        ("nps", 8, "neutral"),
        ("nps", 7, "neutral"),
        ("nps", 6, "unhappy"),
        ("nps", 0, "unhappy"),
        ("nps", 11, None),
        ("nps", None, None),
        ("csat", 5, "happy"),
        ("csat", 4, "happy"),
        ("csat", 3, "neutral"),
        ("csat", 2, "unhappy"),
        ("csat", 0, None),
        (None, 5, None),
    ],
)
def test_an_answer_says_the_mood(shop: Shop, world: World, kind: str | None, score: int | None, mood: str) -> None:
    world.record(1).event("Survey Answered", 1, TODAY - 5, category=kind, score=score)
    assert judged(shop, world)[1]["mood"] == mood


def test_the_latest_word_within_a_year_decides_of_all_that_one_person_was_known_as(shop: Shop, world: World) -> None:
    world.record(1).record(2, root=1).record(3).record(4).record(5)
    world.event("Survey Answered", 1, TODAY - 9, category="nps", score=10).event("Complaint Filed", 2, TODAY - 8)
    world.event("Complaint Filed", 3, TODAY - 8).event("Survey Answered", 3, TODAY - 2, category="csat", score=3)
    world.event("Survey Answered", 3, TODAY - 1, category="csat", score=9)  # no such score
    world.event("Complaint Filed", 4, TODAY - traits.MOOD_DAYS).event("Complaint Filed", 4, TODAY + 1)
    world.event("Survey Answered", 5, TODAY - traits.MOOD_DAYS + 1, category="nps", score=9)
    world.event("Complaint Filed", None, TODAY)
    rows = judged(shop, world)
    assert {id: row["mood"] for id, row in rows.items()} == {1: "unhappy", 3: "neutral", 4: None, 5: "happy"}


@pytest.mark.parametrize(
    ("orders", "reduced", "amount", "taste"),
    [
        (3, 2, 100, "price"),
        (10, 3, 500, "price"),
        (3, 1, 500, None),  # a third, but once isn't a habit
        (10, 2, 500, None),
        (10, 1, 500, None),
        (11, 1, 401, "quality"),
        (3, 0, 401, "quality"),
        (3, 0, 400, None),  # not above the cut of the top two fifths
        (2, 2, 100, None),  # too few orders
        (2, 0, 900, None),
    ],
)
def test_orders_say_the_taste(
    shop: Shop, world: World, orders: int, reduced: int, amount: int, taste: str | None
) -> None:
    world.record(1)
    for number in range(orders):
        world.order(f"o{number}", 1, TODAY - number, amount)
        if number < reduced:
            last = dict(world.lines[-1])
            world.lines.append(last | {"line": -1, "amount": -1, "paid": False, "kind": "sale"})
    world.refund("o0", 1, TODAY, amount)  # what came back was still bought
    assert judged(shop, world, thresholds=DEAR)[1]["taste"] == taste
