"""The one DuckDB file of the data folder: opening it, reading from any thread, writing from one at a time. In a scaled
installation the same questions go to this process's replica of the lake.

Nothing here knows what the tables mean. DuckDB lets one process open a file; that process is `regulars serve`, or the
command line when none runs.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import duckdb
import ibis
import pyarrow
from django.conf import settings

from regulars.kernel.errors import Conflict
from regulars.kernel.languages import Text
from regulars.warehouse import connecting, lake, schema
from regulars.warehouse.lake import replica

Parameters = Sequence[Any] | Mapping[str, Any]

_opening = threading.Lock()
_writing = threading.RLock()
_local = threading.local()
_database: duckdb.DuckDBPyConnection | None = None
_path: Path | None = None
_generation = 0
_desk: tuple[Any, duckdb.DuckDBPyConnection] | None = None
_compiled: dict[Any, str] = {}


def path() -> Path:
    """Where the warehouse of this data folder lies: its file, or the folder of the lake."""
    if lake.used():
        return lake.folder()
    return Path(settings.HOME) / "warehouse.duckdb"


def _connect(file: Path) -> duckdb.DuckDBPyConnection:
    spill = file.with_suffix(".spill")
    try:
        database = connecting.connect(str(file), spill=spill)
        if not connecting.of_format(database):
            database.close()
            connecting.write_anew(file, spill=spill)
            database = connecting.connect(str(file), spill=spill)
    except duckdb.IOException as fault:
        if "could not set lock" not in str(fault).lower():
            raise
        raise Conflict(
            "warehouse_in_use",
            Text(
                "The warehouse {file} is open in another process. Stop that one, or ask the running server.",
                "数据仓库 {file} 正被另一个进程使用。请先停止该进程，或通过正在运行的服务来操作。",
            ).filled(file=file),
        ) from None
    try:
        _migrate(database)
    except BaseException:
        database.close()
        raise
    return database


def _migrate(database: duckdb.DuckDBPyConnection) -> None:
    exists = database.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'meta'").fetchone()
    version = 0
    if exists and exists[0]:
        row = database.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        version = int(row[0]) if row else 0
    if version > len(schema.STEPS):
        raise Conflict(
            "warehouse_too_new",
            Text(
                "The warehouse was written by a newer version of Regulars. Upgrade, or restore an older data folder.",
                "数据仓库由更新版本的熟客写入。请升级程序，或恢复旧版本的数据目录。",
            ),
        )
    for number, step in enumerate(schema.STEPS[version:], version + 1):
        database.execute("BEGIN")
        database.execute(step)
        keep(database, {"schema": number})
        database.execute("COMMIT")


def _current() -> tuple[duckdb.DuckDBPyConnection, int]:
    """The open database; another data folder (a test's) closes the one before."""
    global _database, _path, _generation
    if lake.used():
        return replica.current()
    file = path()
    if _database is not None and _path == file:
        return _database, _generation
    with _opening:
        if _database is None or _path != file:
            if _database is not None:
                _database.close()
                _database = None
            _database, _path = _connect(file), file
            _generation += 1
        return _database, _generation


def close() -> None:
    """Close the file, so that another process may open it; the next question opens it again."""
    global _database, _path, _generation
    if lake.used():
        replica.close()
        return
    with _writing, _opening:
        if _database is not None:
            _database.close()
        _database, _path = None, None
        _generation += 1


def cursor() -> duckdb.DuckDBPyConnection:
    """A cursor of its own (its own transactions and temporary tables), for the caller to close."""
    return _current()[0].cursor()


def _own() -> duckdb.DuckDBPyConnection:
    present = _current()
    if getattr(_local, "of", None) != present:
        _local.cursor, _local.of = present[0].cursor(), present
    return cast(duckdb.DuckDBPyConnection, _local.cursor)


def _ask(sql: str, params: Parameters) -> duckdb.DuckDBPyConnection:
    try:
        return _own().execute(sql, params or None)
    except (duckdb.FatalException, duckdb.ConnectionException):  # invalidated by a full disk, or closed: open anew
        close()
        return _own().execute(sql, params or None)


def read(sql: str, params: Parameters = ()) -> list[tuple[Any, ...]]:
    """Rows of a question, in a transaction of its own. See queries.snapshot for several that belong together."""
    return _ask(sql, params).fetchall()


def read_arrow(sql: str, params: Parameters = ()) -> pyarrow.Table:
    """The same as an Arrow table."""
    return _ask(sql, params).to_arrow_table()


@contextmanager
def writing(*, desk: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """The only way to change the warehouse: one writer at a time, one transaction, rolled back on any error.

    Reentrant: within `writing` of the same thread it is the same transaction. Not for a lake: there `lake.changes` is.
    `desk`: on a cursor that is kept for the next time, with its temporary tables and prepared statements; after an
    error there is a new one.
    """
    global _desk
    assert not lake.used()
    with _writing:
        running = getattr(_local, "writer", None)
        if running is not None:
            yield running
            return
        if desk:
            present = _current()
            if _desk is None or _desk[0] != present:
                _desk = present, present[0].cursor()
            pen = _desk[1]
        else:
            pen = cursor()
        whole = False
        try:
            pen.execute("BEGIN")
            _local.writer = pen
            try:
                yield pen
                pen.execute("COMMIT")
                whole = True
            except BaseException as fault:
                if isinstance(fault, duckdb.FatalException):
                    close()
                else:
                    with suppress(duckdb.TransactionException):  # a COMMIT that failed (full disk) has undone it
                        pen.execute("ROLLBACK")
                raise
        finally:
            _local.writer = None
            if not (desk and whole):
                _desk = None if desk else _desk
                pen.close()


@contextmanager
def still() -> Iterator[Path]:
    """Nobody writes to the warehouse within the block, if no full refresh runs (`refresh.idle`): its file may be
    copied, with the .wal beside it if there is one. Do not open the file in this process: closing it drops the lock of
    DuckDB.
    """
    with _writing:
        pen = cursor()
        try:
            with suppress(duckdb.TransactionException):  # somebody's question runs: what is new stays in the .wal
                pen.execute("CHECKPOINT")
        finally:
            pen.close()
        yield path()


def compile(expr: ibis.Expr) -> str:
    """The SQL of a definition in DuckDB's dialect; compiled once per expression."""
    key = expr.op()
    sql = _compiled.get(key)
    if sql is None:
        if len(_compiled) > 500:
            _compiled.clear()
        sql = _compiled[key] = str(ibis.to_sql(expr, dialect="duckdb"))
    return sql


def meta(key: str, default: Any = None, *, pen: duckdb.DuckDBPyConnection | None = None) -> Any:
    """A value kept in the warehouse by name (JSON)."""
    rows = (pen or _own()).execute("SELECT value FROM meta WHERE key = ?", [key]).fetchall()
    return json.loads(rows[0][0]) if rows else default


def metas(keys: Sequence[str], *, pen: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Of these values those that are there, in one question."""
    places = ", ".join("?" * len(keys))
    rows = pen.execute(f"SELECT key, value FROM meta WHERE key IN ({places})", list(keys)).fetchall()  # noqa: S608
    return {key: json.loads(value) for key, value in rows}


def keep(pen: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> None:
    """Set values by name, in the transaction of `pen`."""
    if not values:
        return
    # Two statements, and literals where a subquery would be a join: each takes a millisecond or more.
    pen.execute(f"DELETE FROM meta WHERE key IN ({', '.join('?' * len(values))})", list(values))  # noqa: S608
    rows = [part for key, value in values.items() for part in (key, json.dumps(value))]
    pen.execute(f"INSERT INTO meta VALUES {', '.join(['(?, ?)'] * len(values))}", rows)  # noqa: S608
