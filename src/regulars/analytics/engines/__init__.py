"""Where definitions run. Ibis only compiles; the adapters here carry SQL to an engine and rows back."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
from ibis.config import Config

Dialect = Literal["duckdb", "pyspark"]


class _SparkOptions(Config):  # type: ignore[misc]
    """What Ibis's own Spark backend would register on import; its compiler reads it for every float column."""

    treat_nan_as_null: bool = False


def compiled(expression: ir.Table, dialect: Dialect = "duckdb") -> str:
    """The SQL of an expression on unbound tables. It takes tens of milliseconds: see `sql` for what comes again."""
    if ibis.options.pyspark is None:
        ibis.options.pyspark = _SparkOptions()
    return str(ibis.to_sql(expression, dialect=dialect, pretty=False))


@lru_cache(maxsize=1024)
def sql(build: Callable[..., ir.Table], dialect: Dialect = "duckdb", **parameters: Any) -> str:
    """The SQL of a definition with these (hashable) parameters, compiled once and kept.

    `sql(scores.scores, as_of=day, cutoffs=cutoffs, thresholds=thresholds, only=facts.CONCERNED)`
    """
    return compiled(build(**parameters), dialect)
