"""Where definitions run. Ibis only compiles; the adapters here carry SQL to an engine and rows back."""

import re
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


_DAYS = {"as_of": 2 * 10**15, "since": 3 * 10**15, "until": 4 * 10**15}
"""Parameters that are days. What is compiled has these in their place, so that another day needs no compiling."""
_NEAR = 10**6
_PLACE = re.compile(r"(?<![\w.])\d{16}(?![\w.])")


def sql(build: Callable[..., ir.Table], dialect: Dialect = "duckdb", **parameters: Any) -> str:
    """The SQL of a definition with these (hashable) parameters, compiled once and kept, for whatever days.

    `sql(scores.scores, as_of=day, cutoffs=cutoffs, thresholds=thresholds, only=facts.CONCERNED)`

    A definition may add to a day and take from it, nothing else: what it reckons moves with the day that stands for it.
    """
    days = {name: parameters[name] for name in _DAYS if isinstance(parameters.get(name), int)}
    text = _text(build, dialect, **parameters | {name: _DAYS[name] for name in days})

    def placed(found: re.Match[str]) -> str:
        number = int(found[0])
        name = next((name for name in days if abs(number - _DAYS[name]) < _NEAR), None)
        return found[0] if name is None else str(number - _DAYS[name] + days[name])

    return _PLACE.sub(placed, text) if days else text


@lru_cache(maxsize=1024)
def _text(build: Callable[..., ir.Table], dialect: Dialect, **parameters: Any) -> str:
    return compiled(build(**parameters), dialect)
