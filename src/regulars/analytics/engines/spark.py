"""Spark, through Spark Connect: a cluster, Databricks or Sail. Needs the extra `spark` (pyspark-client)."""

from collections.abc import Mapping
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa

from regulars.analytics.engines import Dialect, compiled


class Spark:
    """Runs definitions in a Spark Connect session; tables are its temporary views or its catalogue's tables."""

    dialect: Dialect = "pyspark"

    def __init__(self, url: str) -> None:
        """`url` as in Spark Connect: sc://host:port/;token=…"""
        from pyspark.sql import SparkSession  # an optional extra: only who scales out installs it

        self.session = SparkSession.builder.remote(url).getOrCreate()

    def read(self, expression: ir.Table | str) -> list[tuple[Any, ...]]:
        """The rows of an expression, or of SQL in Spark's dialect."""
        table = self.arrow(expression)
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def arrow(self, expression: ir.Table | str) -> pa.Table:
        return self.session.sql(self._sql(expression)).toArrow()

    def keep(self, name: str, expression: ir.Table | str) -> None:
        """Make a cached view of the expression's rows, in place of any of this name."""
        frame = self.session.sql(self._sql(expression)).cache()
        frame.createOrReplaceTempView(name)

    def register(self, tables: Mapping[str, pa.Table | str]) -> None:
        """Make Arrow tables, or Parquet under a path, visible by name."""
        for name, table in tables.items():
            frame = self.session.read.parquet(table) if isinstance(table, str) else self.session.createDataFrame(table)
            frame.createOrReplaceTempView(name)

    def close(self) -> None:
        self.session.stop()

    def _sql(self, expression: ir.Table | str) -> str:
        return expression if isinstance(expression, str) else compiled(expression, self.dialect)
