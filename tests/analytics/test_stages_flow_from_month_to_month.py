from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.analytics.metrics import METRICS, month_ends
from tests.analytics.conftest import Shop
from tests.analytics.world import World, day_of, month_of

MARCH = month_of(day_of("2026-03-31"))


def test_each_customer_goes_from_the_stage_then_to_the_stage_a_month_later(shop: Shop, world: World) -> None:
    world.record(1, created=day_of("2026-02-10")).record(2, created=day_of("2026-04-02")).record(3, known=False)
    world.record(4, erased=True).record(5, created=day_of("2026-05-01"))
    world.order("a", 1, day_of("2026-03-05"), 100).order("b", 3, day_of("2026-03-20"), 100)
    world.order("c", 3, day_of("2026-04-20"), 100).order("d", 4, day_of("2026-03-05"), 100)
    months = ((MARCH - 1, day_of("2026-02-28")), (MARCH, day_of("2026-03-31")), (MARCH + 1, day_of("2026-04-30")))
    shop.hold(world)
    flow = METRICS["stage_flow"].build(months=months, cutoffs=Cutoffs(), thresholds=Thresholds(gap=20))
    assert sorted(shop.read(flow)) == [
        (MARCH, "", "new", 1),  # 3 was nobody before the first purchase
        (MARCH, "potential", "new", 2),  # 1 and 4, who was erased since
        (MARCH + 1, "", "potential", 1),  # 2
        (MARCH + 1, "new", "active", 1),  # 3
        (MARCH + 1, "new", "dormant", 2),  # 1 and 4: 56 days at a rhythm of 20
    ]


def test_month_ends_are_those_that_are_over_or_the_running_one() -> None:
    leap = day_of("2028-02-29")
    assert month_ends(leap, 2) == ((month_of(leap) - 1, day_of("2028-01-31")), (month_of(leap), leap))
    assert month_ends(leap, 2, running=True) == month_ends(leap, 2)
    january = day_of("2027-01-15")
    december = (2026 * 12 + 11, day_of("2026-12-31"))
    assert month_ends(january, 1) == (december,)
    assert month_ends(january, 2, running=True) == (december, (2027 * 12, january))
