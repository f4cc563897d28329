"""DuckDB, in this process, on a connection that the caller owns."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import ibis.expr.types as ir
import pyarrow as pa

from regulars.analytics.engines import Dialect, compiled


class Duck:
    """Runs definitions on a DuckDB connection or cursor; tables are those that the connection sees by name."""

    dialect: Dialect = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def read(self, expression: ir.Table | str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of an expression, or of SQL."""
        return self.connection.execute(self._sql(expression), list(parameters)).fetchall()

    def arrow(self, expression: ir.Table | str, parameters: Sequence[Any] = ()) -> pa.Table:
        return self.connection.execute(self._sql(expression), list(parameters)).to_arrow_table()

    def keep(self, name: str, expression: ir.Table | str) -> None:
        """Make a table of the expression's rows, in place of any of this name."""
        self.connection.execute(f'CREATE OR REPLACE TABLE "{name}" AS {self._sql(expression)}')

    def register(self, tables: Mapping[str, pa.Table]) -> None:
        """Make these Arrow tables visible by name."""
        for name, table in tables.items():
            self.connection.register(name, table)

    def _sql(self, expression: ir.Table | str) -> str:
        return expression if isinstance(expression, str) else compiled(expression, self.dialect)
