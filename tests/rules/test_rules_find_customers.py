from collections.abc import Iterator

import duckdb
import ibis
import pytest

from regulars.analytics.engines.duck import Duck
from regulars.analytics.facts import RECORDS, SCORES
from regulars.kernel.errors import Invalid
from regulars.rules.compile import predicate
from regulars.rules.schema import (
    All,
    AnyOf,
    ChannelIn,
    GroupIn,
    Known,
    Listed,
    Not,
    Rule,
    Score,
    StageIn,
    StoreIn,
    TextIs,
    Warned,
)
from tests.analytics.world import World, arrow

TAGGED = ibis.table({"record_id": "!int64"}, name="tagged")


@pytest.fixture(scope="module")
def engine() -> Iterator[Duck]:
    rows = [
        {
            "customer_id": 1,
            "stage": "active",
            "rfm_group": "loyal",
            "net": 50_000,
            "r": 5,
            "store": "东门",
            "p_alive": 0.9,
        },
        {
            "customer_id": 2,
            "stage": "lost",
            "rfm_group": "lost",
            "net": -100,
            "r": 1,
            "store": "O'Hare",
            "p_alive": 0.1,
        },
        {"customer_id": 3, "stage": "potential", "net": 0},
    ]
    for row in rows:
        flag = row["customer_id"] == 2
        row |= {"known": row["customer_id"] != 3, "warned": flag, "warn_silent": flag, "warn_spend": True}
    world = World().record(1).record(2).record(3).record(30, root=3)
    with duckdb.connect() as connection:
        duck = Duck(connection)
        duck.register({"scores": arrow(SCORES, rows), "records": world.tables()["records"]})
        duck.connection.execute("CREATE TABLE tagged AS SELECT 30::BIGINT AS record_id")
        yield duck


def found(engine: Duck, rule: Rule) -> list[int]:
    met = predicate(rule, SCORES, records=RECORDS, sets={"tag:VIP": TAGGED})
    return sorted(row[0] for row in engine.read(SCORES.filter(met).select("customer_id")))


@pytest.mark.parametrize(
    ("rule", "ids"),
    [
        (All(), [1, 2, 3]),
        (StageIn(stages=("active", "potential")), [1, 3]),
        (GroupIn(groups=("lost",)), [2]),
        (Not(rule=GroupIn(groups=("lost",))), [1, 3]),
        (Score(column="net", value=0), [1, 3]),
        (Score(column="net", comparison="above", value=0), [1]),
        (Score(column="net", comparison="at_most", value=0), [2, 3]),
        (Score(column="net", comparison="below", value=0), [2]),
        (Score(column="r", comparison="is", value=5), [1]),
        (Not(rule=Score(column="r", comparison="is", value=5)), [2, 3]),
        (Score(column="p_alive", value=0.5), [1]),
        (StoreIn(stores=("O'Hare", "")), [2, 3]),
        (ChannelIn(channels=("",)), [1, 2, 3]),
        (Warned(), [2]),
        (Warned(reason="silent"), [2]),
        (Warned(reason="spend"), [1, 2, 3]),
        (Warned(reason="overdue"), []),
        (Known(), [1, 2]),
        (Listed(what="tag", value="VIP"), [3]),
        (Not(rule=Listed(what="tag", value="VIP")), [1, 2]),
        (AnyOf(rules=(Listed(what="tag", value="VIP"), StageIn(stages=("lost",)))), [2, 3]),
        (All(rules=(Known(), Not(rule=Warned()))), [1]),
    ],
)
def test_a_rule_finds_exactly_these(engine: Duck, rule: Rule, ids: list[int]) -> None:
    assert found(engine, rule) == ids


def test_a_condition_about_events_cannot_be_asked_of_customers(engine: Duck) -> None:
    with pytest.raises(Invalid) as problem:
        found(engine, TextIs(column="name", values=("Order Completed",)))
    assert problem.value.code == "rule.column"


def test_a_missing_set_is_the_callers_mistake(engine: Duck) -> None:
    with pytest.raises(KeyError, match="tag:new"):
        found(engine, Listed(what="tag", value="new"))
