"""Where definitions run. Ibis only compiles; the adapters here carry SQL to an engine and rows back."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import sqlglot
from ibis.config import Config
from sqlglot import exp

Dialect = Literal["duckdb", "pyspark"]
_SQLGLOT: dict[Dialect, str] = {"duckdb": "duckdb", "pyspark": "spark"}


class _SparkOptions(Config):  # type: ignore[misc]
    """What Ibis's own Spark backend would register on import; its compiler reads it for every float column."""

    treat_nan_as_null: bool = False


def compiled(expression: ir.Table, dialect: Dialect = "duckdb") -> str:
    """The SQL of an expression on unbound tables. It takes tens of milliseconds: see `sql` for what comes again."""
    if ibis.options.pyspark is None:
        ibis.options.pyspark = _SparkOptions()
    plain = sqlglot.parse_one(str(ibis.to_sql(expression, dialect=dialect, pretty=False)), dialect=_SQLGLOT[dialect])
    return plain.transform(_narrow).sql(dialect=_SQLGLOT[dialect])


def _narrow(node: exp.Expression) -> exp.Expression:
    """Every sum as BIGINT: all are of integers, DuckDB would widen them to 128 bits, and Ibis drops a cast to the type
    that it believes a sum to have."""
    over = isinstance(node, exp.Window) and isinstance(node.this, exp.Sum)
    plain = isinstance(node, exp.Sum) and not isinstance(node.parent, exp.Window)
    return exp.cast(node, "BIGINT") if over or plain else node


@lru_cache(maxsize=1024)
def sql(build: Callable[..., ir.Table], dialect: Dialect = "duckdb", **parameters: Any) -> str:
    """The SQL of a definition with these (hashable) parameters, compiled once and kept.

    `sql(scores.scores, as_of=day, cutoffs=cutoffs, thresholds=thresholds, only=facts.CONCERNED)`
    """
    return compiled(build(**parameters), dialect)
