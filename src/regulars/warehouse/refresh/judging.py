"""Scores out of figures: the last step of every refresh, wherever its rows are."""

import duckdb

from regulars.analytics import engines, facts, scores
from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.warehouse import worth

_COLUMNS = ", ".join(facts.SCORES.columns)
TELLING = 'position, name, record_id, "at", day, category, score'
"""The columns of events that figures need."""


def judge(
    pen: duckdb.DuckDBPyConnection, into: str, *, as_of: int, cutoffs: Cutoffs, thresholds: Thresholds,
    model: worth.Model, source: str = "figures", ordered: bool = False,
) -> None:  # fmt: skip
    """Scores of the temporary table `figures` into where `into` says; `ordered` by customer."""
    judged = engines.sql(scores.judged, cutoffs=cutoffs, thresholds=thresholds)
    pen.register("predicted", worth.predicted(pen, model, as_of=as_of, figures=source))
    order = "ORDER BY customer_id" if ordered else ""
    pen.execute(f"{into} SELECT {_COLUMNS} FROM ({judged}) LEFT JOIN predicted USING (customer_id) {order}")  # noqa: S608
    pen.unregister("predicted")
