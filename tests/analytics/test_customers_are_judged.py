import itertools
from typing import Any

import pytest

from regulars.analytics import engines, facts, metrics, rfm, scores
from regulars.analytics.cutoffs import PERCENTS, Cutoffs, Thresholds
from regulars.kernel.errors import Invalid
from tests.analytics.conftest import Shop
from tests.analytics.world import World, day_of

TODAY = day_of("2026-06-30")
PLAIN = Thresholds(recency=(10, 20, 30, 40), orders=(1, 2, 3, 4), net=(100, 200, 300, 400), gap=40, buyers=5)


def judged(
    shop: Shop, world: World, cutoffs: Cutoffs | None = None, thresholds: Thresholds = PLAIN
) -> dict[int, dict[str, Any]]:
    shop.hold(world)
    sql = engines.sql(scores.scores, as_of=TODAY, cutoffs=cutoffs or Cutoffs(), thresholds=thresholds)
    return {row[0]: dict(zip(scores.COMPUTED, row, strict=True)) for row in shop.read(sql)}


def bought(world: World, record: int, *days_ago: int, amount: int = 100) -> World:
    for number, ago in enumerate(days_ago):
        world.order(f"{record}-{number}", record, TODAY - ago, amount)
    return world


def test_the_columns_are_those_of_the_contract() -> None:
    built = scores.scores(as_of=TODAY, cutoffs=Cutoffs(), thresholds=PLAIN)
    assert built.columns == scores.COMPUTED
    assert scores.figures(as_of=TODAY, cutoffs=Cutoffs()).columns == facts.FIGURES.columns
    assert facts.purchases().columns == facts.PURCHASES.columns


def test_figures_of_a_customer(shop: Shop, world: World) -> None:
    world.record(1, known=False).record(2, root=1, erased=True)
    world.order("a", 1, TODAY - 300, 1_000, store="east", channel="store")
    world.order("b", 2, TODAY - 100, 400, store="west", channel="online")
    world.order("c", 1, TODAY - 100, 50, store="east", channel="store", second=1)
    world.order("late", 1, TODAY + 1, 9_999)
    world.refund("x", 1, TODAY - 50, 30)
    world.event("Page Viewed", 2, TODAY - 20).event("Message Sent", 1, TODAY - 1)
    [row] = judged(shop, world).values()
    assert {name: row[name] for name in row if name not in ("r", "f", "m", "rfm_group", "stage")} == {
        "customer_id": 1,
        "known": True,
        "erased": True,
        "orders": 3,
        "gross": 1_450,
        "net": 1_420,
        "first_day": TODAY - 300,
        "last_day": TODAY - 100,
        "last_seen_day": TODAY - 20,
        "gap_days": 40,  # two visits are no rhythm of their own
        "recency_days": 100,
        "silent_days": 20,
        "spend_recent": 420,
        "spend_before": 1_000,
        "warned": False,
        "warn_silent": False,
        "warn_spend": True,
        "warn_overdue": False,
        "store": "east",
        "channel": "store",
        "mood": None,
        "taste": "quality",  # three dear orders, none of them reduced
        "visits": 2,
        "reduced": 0,
    }


def test_who_never_bought_is_potential_and_has_no_scores(shop: Shop, world: World) -> None:
    world.record(1).refund("x", 1, TODAY - 3, 500)
    row = judged(shop, world)[1]
    assert (row["stage"], row["orders"], row["net"], row["warned"]) == ("potential", 0, -500, False)
    assert [row[n] for n in ("r", "f", "m", "rfm_group", "gap_days", "recency_days", "first_day")] == [None] * 7


@pytest.mark.parametrize(
    ("days_ago", "gap", "stage"),
    [
        ((80,), 40, "new"),  # the population's rhythm of 40 days: late after 80, lost after 160
        ((81,), 40, "dormant"),
        ((160,), 40, "dormant"),
        ((161,), 40, "lost"),
        ((81, 80), 40, "active"),
        ((60, 40, 20), 20, "active"),  # their own rhythm: late after 40, lost after 90 at the earliest
        ((81, 61, 41), 20, "dormant"),
        ((130, 110, 90), 20, "dormant"),
        ((131, 111, 91), 20, "lost"),
        ((32, 31, 30), 7, "active"),  # never dormant within 30 days
        ((33, 32, 31), 7, "dormant"),
        ((1800, 1000, 700), 365, "active"),  # a rhythm is at most a year
        ((1800, 1000, 731), 365, "dormant"),
        ((0, 0, 0), 40, "new"),  # one visit
    ],
)
def test_stages_follow_the_rhythm(shop: Shop, world: World, days_ago: tuple[int, ...], gap: int, stage: str) -> None:
    row = judged(shop, bought(world.record(1), 1, *days_ago))[1]
    assert (row["gap_days"], row["stage"]) == (gap, stage)


def test_scores_are_one_more_than_the_cuts_below(shop: Shop, world: World) -> None:
    for record, days_ago in {1: (10,), 2: (11, 50), 3: (40, 41, 42, 43, 44), 4: (41,)}.items():
        bought(world.record(record), record, *days_ago)
    rows = judged(shop, world)
    assert {number: (row["r"], row["f"], row["m"], row["rfm_group"]) for number, row in rows.items()} == {
        1: (5, 1, 1, "new"),
        2: (4, 2, 2, "potential"),
        3: (2, 5, 5, "needs_attention"),
        4: (1, 1, 1, "lost"),
    }
    fixed = Cutoffs(rfm="fixed", rfm_recency=(1, 2, 3, 4), rfm_orders=(4, 5, 6, 7), rfm_net=(1, 2, 3, 4))
    assert [judged(shop, world, fixed)[3][n] for n in ("r", "f", "m")] == [1, 2, 5]


def test_groups_in_the_engine_are_those_of_the_table(shop: Shop) -> None:
    every = [(r, f, m, n) for r in range(1, 6) for f in range(1, 6) for m in range(1, 6) for n in (1, 2)]
    given = ", ".join(f"({r}, {f}, {m}, {n}, '{rfm.group_of(r, f, m, n)}')" for r, f, m, n in every)
    shop.connection.execute(f"CREATE TABLE cells AS SELECT * FROM (VALUES {given}) t(r, f, m, n, wanted)")
    import ibis

    cells = ibis.table({"r": "int64", "f": "int64", "m": "int64", "n": "int64", "wanted": "string"}, name="cells")
    built = cells.select("wanted", found=rfm.group(cells.r, cells.f, cells.m, cells.n))
    rows = shop.read(built)
    assert len(rows) == 250
    assert all(wanted == found for wanted, found in rows)
    assert {found for _, found in rows} == set(rfm.GROUPS) == set(rfm.MEANING)


@pytest.mark.parametrize(
    ("purchases", "seen", "flags"),
    [
        # (silent, spend, overdue, warned)
        ({200: 1_000, 100: 600}, 91, (True, True, False, True)),  # exactly 40 % down
        ({200: 1_000, 100: 601}, 91, (True, False, False, False)),
        ({200: 1_000, 100: 600}, 90, (False, True, False, False)),
        ({200: 1_000}, 200, (True, True, False, True)),
        ({400: 1_000}, 400, (True, False, False, False)),  # nothing in either window
        ({60: 1, 50: 1, 40: 1}, 1, (False, False, True, True)),  # every 10 days, 40 days ago: overdue, not lost
        ({34: 1, 24: 1, 14: 1}, 1, (False, False, False, False)),
        ({35: 1, 28: 1, 15: 1}, 1, (False, False, False, False)),  # 15 days at a rhythm of 10
        ({41: 1, 31: 1, 21: 1}, 1, (False, False, True, True)),
        ({111: 1, 101: 1, 91: 1}, 1, (False, False, False, False)),  # lost by now: not overdue any more
    ],
)
def test_warnings_say_their_reasons(
    shop: Shop, world: World, purchases: dict[int, int], seen: int, flags: tuple[bool, ...]
) -> None:
    world.record(1).event("Page Viewed", 1, TODAY - seen)
    for ago, amount in purchases.items():
        world.order(f"o{ago}", 1, TODAY - ago, amount)
    world.events = world.events[:1]  # only the visit to a page is a sign of life
    row = judged(shop, world)[1]
    assert tuple(row[n] for n in ("warn_silent", "warn_spend", "warn_overdue", "warned")) == flags


def test_thresholds_are_nearest_rank_percentiles_of_buyers(shop: Shop, world: World) -> None:
    world.record(99)
    for record in range(1, 11):  # ten buyers: recency 1 … 10, net 100 … 1,000, the first five bought once
        world.record(record, erased=record in (2, 9))  # statistics stay
        world.order(f"a{record}", record, TODAY - record, 50 * record if record > 5 else 100 * record)
        if record > 5:
            world.order(f"b{record}", record, TODAY - record - 10 * record, 50 * record)
    shop.hold(world)
    shop.keep("figures", scores.figures(as_of=TODAY, cutoffs=Cutoffs()))
    found = Thresholds.from_rows(shop.read(scores.thresholds()))
    assert found == Thresholds(
        recency=(2, 4, 6, 8),
        orders=(1, 1, 2, 2),
        net=(200, 400, 600, 800),
        basket=(200, 300, 400, 450),
        gap=80,
        gap_percentiles=tuple(zip(PERCENTS, (60, 60, 70, 70, 80, 80, 90, 90, 100, 100), strict=True)),
        buyers=10,
    )
    assert Thresholds.from_json(found.to_json()) == found


def test_nobody_bought_leaves_thresholds_empty(shop: Shop, world: World) -> None:
    shop.hold(world)
    assert Thresholds.from_rows(shop.read(scores.thresholds())) == Thresholds()


def test_groups_stages_and_warnings_are_counted(shop: Shop, world: World) -> None:
    bought(world.record(1), 1, 10)
    bought(world.record(2, known=False), 2, 60, 50, 40)
    bought(world.record(3, erased=True), 3, 5)
    world.record(4).record(5, known=False)
    shop.hold(world)
    shop.keep("scores", scores.scores(as_of=TODAY, cutoffs=Cutoffs(), thresholds=PLAIN))
    assert sorted(shop.read(metrics.sql("stages"))) == [
        ("dormant", 1, 300, 1),
        ("new", 2, 200, 0),  # one of them erased
        ("potential", 1, 0, 0),
    ]
    assert sorted(shop.read(metrics.sql("rfm_groups"))) == [("needs_attention", 1, 3, 300), ("new", 2, 2, 200)]
    assert sorted(shop.read(metrics.sql("rfm_matrix"))) == [(2, 3, 1, 3, 300, 3), (5, 1, 2, 2, 200, 2)]
    assert sorted(shop.read(metrics.sql("warnings"))) == [
        (False, False, False, False, 2, 0),
        (False, False, True, True, 1, 0),
    ]


def test_settings_are_stored_and_checked() -> None:
    own = Cutoffs(rfm="fixed", names=(("champions", "Stars", "明星"),), churn_silent_days=60)
    assert Cutoffs.from_json(own.to_json()) == own
    assert Cutoffs.from_json({"unknown": 1}) == Cutoffs()
    assert rfm.name("champions", own).zh == "明星"
    assert rfm.name("loyal", own).zh == "忠诚"
    for field, value in {
        "rfm_orders": (1, 1, 2, 3),
        "gap_default": 0,
        "own_rhythm_visits": 1,
        "gap_least": 400,
        "lost_percent": 100,
        "churn_spend_percent": 101,
    }.items():
        with pytest.raises(Invalid) as problem:
            Cutoffs.from_json({field: value})
        assert problem.value.field == field


@pytest.mark.parametrize(
    "wrong", [{"churn_silent_days": 10**20}, {"overdue_least_days": -1}, {"rfm_net": (1, 2, 3, 10**16)}]
)
def test_a_cut_off_beyond_reason_is_told_at_its_field(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as problem:
        Cutoffs(**wrong)
    assert problem.value.field == next(iter(wrong))


SAID = {
    "champions": lambda r, mean: r >= 4 and mean > 3,
    "loyal": lambda r, mean: r >= 3 and mean > 2 and not (r >= 4 and mean > 3),
    "potential": lambda r, mean: r >= 3 and mean <= 2,
    "new": lambda r, mean: False,
    "needs_attention": lambda r, mean: (r == 2 and mean > 2) or (r == 1 and mean > 3),
    "dormant": lambda r, mean: r == 2 and mean <= 2,
    "lost": lambda r, mean: r == 1 and mean <= 3,
}
"""What rfm.MEANING says of whoever bought more than once."""


def test_the_sentence_of_a_group_says_who_is_in_it_and_nobody_else() -> None:
    scores = range(1, 6)
    for r, f, m in itertools.product(scores, scores, scores):
        assert [key for key, holds in SAID.items() if holds(r, (f + m) / 2)] == [rfm.group_of(r, f, m, 2)]
    assert [rfm.group_of(r, 1, 5, 1) for r in scores] == ["lost", "dormant", "potential", "new", "new"]
