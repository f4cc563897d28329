"""After changes, judging only those concerned gives the tables that judging everybody gives."""

import random
from itertools import pairwise

import pytest

from regulars.analytics import engines, facts, scores
from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.analytics.metrics import METRICS, month_ends
from tests.analytics.conftest import Shop
from tests.analytics.world import TODAY, random_world

LIVE = facts.CONCERNED


@pytest.mark.parametrize("seed", [1, 2])
def test_live_equals_full(shop: Shop, seed: int) -> None:
    dice = random.Random(seed)
    world = random_world(seed, customers=300)
    shop.hold(world)
    shop.keep("figures", scores.figures(as_of=TODAY, cutoffs=Cutoffs()))
    thresholds = Thresholds.from_rows(shop.read(scores.thresholds()))
    whole = {"as_of": TODAY, "cutoffs": Cutoffs(), "thresholds": thresholds}
    shop.keep("scores", scores.scores(**whole))

    # New orders and refunds, a merge, an unmerge, somebody new, somebody erased.
    concerned: set[int] = set()
    roots = {record["record_id"]: record for record in world.records}
    for record in dice.sample(range(1, 301), 20):
        world.order(f"n{record}", record, TODAY - dice.randint(0, 5), 4_321)
        world.refund(f"n{record}", record, TODAY, 21)
        world.event("Page Viewed", record, TODAY)
        concerned.add(roots[record]["customer_id"])
    source, target = dice.sample(sorted({record["customer_id"] for record in world.records}), 2)
    for record in world.records:
        if record["customer_id"] == source:
            record["customer_id"] = target
    concerned |= {source, target}
    apart = next(r for r in world.records if r["record_id"] != r["customer_id"] and r["customer_id"] != target)
    concerned |= {apart["customer_id"], apart["record_id"]}
    apart["customer_id"] = apart["record_id"]
    world.record(301).order("first", 301, TODAY, 77)
    roots[5]["erased"] = True
    concerned |= {301, roots[5]["customer_id"]}
    world.concerned = sorted(concerned)

    for name in ("events", "lines", "records", "concerned"):
        shop.register({"given": world.tables()[name]})
        shop.connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM given")
    for name, sql in {
        "purchases": engines.sql(facts.purchases, only=LIVE),
        "scores": engines.sql(scores.scores, only=LIVE, **whole),
    }.items():
        shop.connection.execute(f"DELETE FROM {name} WHERE customer_id IN (FROM concerned)")
        shop.connection.execute(f"INSERT INTO {name} {sql}")
    live = {name: sorted(shop.read(f"FROM {name}"), key=repr) for name in ("purchases", "scores")}

    shop.keep("purchases", facts.purchases())
    assert live["purchases"] == sorted(shop.read("FROM purchases"), key=repr)
    assert live["scores"] == sorted(shop.read(scores.scores(**whole)), key=repr)


@pytest.mark.parametrize("later", [0, 1, 200])
def test_figures_carried_on_are_those_of_the_later_day(shop: Shop, later: int) -> None:
    shop.hold(random_world(5, customers=300))
    thresholds = Thresholds(gap=25)
    shop.keep("scores", scores.scores(as_of=TODAY, cutoffs=Cutoffs(), thresholds=thresholds))
    for table, column in (("events", "day"), ("purchases", "day")):
        shop.connection.execute(f"DELETE FROM {table} WHERE {column} > {TODAY}")
    wanted = shop.read(scores.figures(as_of=TODAY + later, cutoffs=Cutoffs(churn_window_days=150)))
    carried = shop.read(scores.carried(as_of=TODAY + later, cutoffs=Cutoffs(churn_window_days=150)))
    assert sorted(carried, key=repr) == sorted(wanted, key=repr)


def test_the_flow_ends_where_the_scores_are(shop: Shop) -> None:
    shop.hold(random_world(3, customers=500))
    thresholds = Thresholds(gap=25)
    shop.keep("scores", scores.scores(as_of=TODAY, cutoffs=Cutoffs(), thresholds=thresholds))
    months = month_ends(TODAY, 4, running=True)
    flow = METRICS["stage_flow"].build(months=months, cutoffs=Cutoffs(), thresholds=thresholds)
    rows = shop.read(flow)
    arrived: dict[str, int] = {}
    for month, _, stage, customers in rows:
        if month == months[-1][0]:
            arrived[stage] = arrived.get(stage, 0) + customers
    assert arrived == {row[0]: row[1] for row in shop.read(METRICS["stages"].build())}
    for (earlier, _), (later, _) in pairwise(months[1:]):
        came = [row for row in rows if row[0] == earlier]
        went = [row for row in rows if row[0] == later and row[1]]
        for stage in arrived:
            assert sum(r[3] for r in came if r[2] == stage) == sum(r[3] for r in went if r[1] == stage)
