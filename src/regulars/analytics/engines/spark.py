"""Spark, through Spark Connect: a cluster, Databricks or Sail. Needs the extra `spark` (pyspark-client)."""

from collections.abc import Mapping, Sequence
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa

from regulars.analytics.engines import Dialect, compiled
from regulars.kernel.errors import Unavailable
from regulars.kernel.languages import Text

RETRIES = 6
"""Of a call that finds nobody: some fifteen seconds, in which a server that was started anew is back."""


class Spark:
    """Runs definitions in a Spark Connect session of its own; tables are its temporary views or its catalogue's."""

    dialect: Dialect = "pyspark"

    def __init__(self, url: str) -> None:
        """`url` as in Spark Connect: sc://host:port/;token=… Raises Unavailable when nobody answers there."""
        # An optional extra: only who scales out installs it.
        from pyspark.errors.exceptions.connect import SparkConnectGrpcException
        from pyspark.sql import SparkSession
        from pyspark.sql.connect.client.retries import DefaultPolicy

        self.session = SparkSession.builder.remote(url).create()
        # Its own policy tries for ten minutes without a word.
        self.session.client.set_retry_policies([DefaultPolicy(max_retries=RETRIES, max_backoff=5_000)])
        try:
            self.session.sql("SELECT 1").toArrow()
        except SparkConnectGrpcException as error:
            raise Unavailable(
                "spark_away",
                Text(
                    "Spark doesn't answer at {where} (REGULARS_SPARK). Does it run, and can this machine reach it? "
                    "Without REGULARS_SPARK workers compute by themselves.",
                    "Spark 在 {where}（REGULARS_SPARK）没有响应。请确认它正在运行，且本机可以访问；"
                    "不设置 REGULARS_SPARK 时由 worker 自行计算。",
                ).filled(where=url.partition(";")[0]),
            ) from error

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

    def write(self, path: str, expression: ir.Table | str, *, by: str) -> None:
        """The expression's rows as Parquet files in a new folder, each in the order of the column `by`."""
        self.session.sql(self._sql(expression)).sortWithinPartitions(by).write.parquet(path)

    def register(self, tables: Mapping[str, pa.Table | str | Sequence[str]]) -> None:
        """Make Arrow tables, or Parquet under one or several paths, visible by name."""
        for name, table in tables.items():
            if isinstance(table, pa.Table):
                frame = self.session.createDataFrame(table)
            else:
                frame = self.session.read.parquet(*([table] if isinstance(table, str) else table))
            frame.createOrReplaceTempView(name)

    def close(self) -> None:
        self.session.stop()

    def _sql(self, expression: ir.Table | str) -> str:
        return expression if isinstance(expression, str) else compiled(expression, self.dialect)
