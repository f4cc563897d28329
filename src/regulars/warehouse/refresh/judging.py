"""Scores out of figures: the last step of every refresh, wherever its rows are."""

import duckdb
import ibis.expr.types as ir

from regulars.analytics import engines, facts, scores
from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.warehouse import worth

_COLUMNS = ", ".join(facts.SCORES.columns)
TELLING = 'position, name, record_id, "at", day, category, score'
"""The columns of events that figures need."""


def scored(
    *, cutoffs: Cutoffs, thresholds: Thresholds, figures: ir.Table = facts.FIGURES, predicted: str = "predicted"
) -> str:
    """The SQL of scores out of figures and a table of what is predicted."""
    judged = engines.sql(scores.judged, table=figures, cutoffs=cutoffs, thresholds=thresholds)
    return f"SELECT {_COLUMNS} FROM ({judged}) LEFT JOIN {predicted} USING (customer_id)"  # noqa: S608 (compiled)


def judge(
    pen: duckdb.DuckDBPyConnection, into: str, *, as_of: int, cutoffs: Cutoffs, thresholds: Thresholds,
    model: worth.Model, ordered: bool = False,
) -> None:  # fmt: skip
    """Scores of the temporary table `figures` into where `into` says; `ordered` by customer."""
    pen.register("predicted", worth.predicted(pen, model, as_of=as_of))
    order = "ORDER BY customer_id" if ordered else ""
    pen.execute(f"{into} {scored(cutoffs=cutoffs, thresholds=thresholds)} {order}")
    pen.unregister("predicted")
