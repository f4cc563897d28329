"""Every registered definition, on DuckDB and on Spark Connect (Sail, and a real Spark where one runs), over a world with everything in it: the same
rows, the same types, to the last digit."""

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import duckdb
import ibis.expr.types as ir
import pyarrow as pa
import pytest

from regulars.analytics import facts, scores, traits
from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.analytics.engines.duck import Duck
from regulars.analytics.metrics import METRICS, month_ends
from regulars.kernel.errors import Unavailable
from tests.analytics.world import TODAY, arrow, random_world

pytestmark = pytest.mark.spark

FIXED = Cutoffs(rfm="fixed", dormant_percent=150, own_rhythm_visits=4)
SINCE, UNTIL = TODAY - 200, TODAY - 3
BUCKETS = ("all", "day", "week", "month", "store", "channel", "category", "product")


@pytest.fixture(scope="module")
def engines(spark_connect: str) -> Iterator[tuple[Duck, Any, Thresholds]]:
    """Both with the world, purchases, figures and scores as tables; and the thresholds that both agree on."""
    from regulars.analytics.engines.spark import Spark

    tables = random_world(20260310).tables()
    with closing(Spark(spark_connect)) as spark, duckdb.connect() as connection:
        duck = Duck(connection)
        for engine in (duck, spark):
            engine.register(tables)
        steps: dict[str, ir.Table] = {
            "purchases": facts.purchases(),
            "figures": scores.figures(as_of=TODAY, cutoffs=Cutoffs()),
        }
        for name, step in steps.items():
            same(duck, spark, step)
            _hold(duck, spark, name, duck.arrow(step))
        thresholds = Thresholds.from_rows(duck.read(scores.thresholds()))
        judged = duck.arrow(scores.judged(cutoffs=Cutoffs(), thresholds=thresholds))
        filled = arrow(facts.SCORES, judged.to_pylist())
        _hold(duck, spark, "scores", filled)
        yield duck, spark, thresholds


def _hold(duck: Duck, spark: Any, name: str, table: pa.Table) -> None:
    for engine in (duck, spark):
        engine.register({name: table})


def same(duck: Duck, spark: Any, expression: ir.Table) -> list[tuple[Any, ...]]:
    ours, theirs = duck.arrow(expression), spark.arrow(expression)
    assert ours.column_names == theirs.column_names
    assert [_kind(t) for t in ours.schema.types] == [_kind(t) for t in theirs.schema.types]
    rows = _rows(ours)
    assert rows == _rows(theirs)
    return rows


def _kind(of: pa.DataType) -> str:
    return "string" if pa.types.is_large_string(of) or pa.types.is_string(of) else str(of)


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return sorted(zip(*(c.to_pylist() for c in table.columns), strict=True), key=repr)


def settings(key: str, thresholds: Thresholds) -> list[dict[str, Any]]:
    """The parameters that a metric is compared with."""
    if "since" in METRICS[key].parameters:
        narrowed = [{"by": "week", "since": SINCE, "until": UNTIL}, {"by": "store", "since": SINCE}]
        return [*({"by": by} for by in BUCKETS), *narrowed, {"by": "category", "since": SINCE, "until": UNTIL}]
    months = month_ends(TODAY, 6, running=True)
    return {
        "retention": [{}, {"as_of": UNTIL, "since_month": months[0][0]}],
        "time_between_purchases": [{}, {"as_of": UNTIL}],
        "second_order": [{"as_of": TODAY}, {"as_of": UNTIL, "within": (7,)}],
        "stage_flow": [
            {"months": months, "cutoffs": Cutoffs(), "thresholds": thresholds},
            {"months": months[-2:], "cutoffs": FIXED, "thresholds": Thresholds()},
        ],
    }.get(key, [{}])


@pytest.mark.parametrize("key", METRICS)
def test_a_metric_is_the_same_on_both(engines: tuple[Duck, Any, Thresholds], key: str) -> None:
    duck, spark, thresholds = engines
    for parameters in settings(key, thresholds):
        rows = same(duck, spark, METRICS[key].build(**parameters))
        assert rows, parameters
        names = METRICS[key].build(**parameters).columns
        keys = [tuple(row[names.index(column)] for column in METRICS[key].keys) for row in rows]
        assert len(keys) == len(set(keys)), "the keys of a metric make its rows unique"


@pytest.mark.parametrize("cutoffs", [Cutoffs(), FIXED], ids=["quintiles", "fixed"])
def test_scores_and_thresholds_are_the_same_on_both(engines: tuple[Duck, Any, Thresholds], cutoffs: Cutoffs) -> None:
    duck, spark, thresholds = engines
    assert {row[0] for row in same(duck, spark, scores.thresholds())} == {"recency", "orders", "net", "gap", "basket"}
    rows = same(duck, spark, scores.judged(cutoffs=cutoffs, thresholds=thresholds))
    assert {row[scores.COMPUTED.index("stage")] for row in rows} == {"potential", "new", "active", "dormant", "lost"}
    whole = {"as_of": TODAY, "cutoffs": cutoffs, "thresholds": thresholds}
    assert same(duck, spark, scores.scores(**whole)) == rows


def test_folds_of_some_customers_are_the_same_on_both(engines: tuple[Duck, Any, Thresholds]) -> None:
    duck, spark, thresholds = engines
    assert same(duck, spark, facts.purchases(only=facts.CONCERNED))
    assert same(duck, spark, facts.seen(as_of=TODAY, only=facts.CONCERNED))
    assert {row[1] for row in same(duck, spark, traits.mood(as_of=TODAY))} == set(traits.MOODS)
    assert same(duck, spark, scores.carried(as_of=TODAY + 30, cutoffs=Cutoffs()))
    live = scores.scores(as_of=TODAY, cutoffs=Cutoffs(), thresholds=thresholds, only=facts.CONCERNED)
    assert same(duck, spark, live)


def test_a_spark_that_is_not_there_is_told_of_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from regulars.analytics.engines import spark

    monkeypatch.setattr(spark, "RETRIES", 1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.warns(UserWarning, match="RETRIES_EXCEEDED"), pytest.raises(Unavailable, match=f"127.0.0.1:{port}"):
        spark.Spark(f"sc://127.0.0.1:{port}")
