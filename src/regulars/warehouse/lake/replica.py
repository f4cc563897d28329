"""The warehouse in this process's memory: an in-memory DuckDB that follows the log of changes.

Big tables are views over the files of the lake; what changed since those were written lies beside them in small tables
(`…_changed`) that the views lay over the files. A step of the log is one transaction of DuckDB, replaced views
included: who reads within a transaction keeps the state that it began with.
"""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
from django.conf import settings

from regulars.warehouse import connecting, schema
from regulars.warehouse.lake import files
from regulars.warehouse.models import Change

BASES = ("events", "lines", "records", "purchases", "scores")
"""Kinds of files that views are over."""

TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "records": ("record_id", ("records_changed",)),
    "pending": ("record_id", ("pending",)),
    "merges": ("source", ("merges",)),
    "erasing": ("record_id", ("erasing",)),
    "judged": ("customer_id", ("judged", "scores_changed", "purchases_changed")),
    "scores": ("customer_id", ("scores_changed",)),
    "purchases": ("customer_id", ("purchases_changed",)),
}
"""Tables that a change may carry: rows take the place of those with the same key, in each of the tables named; they are
put into the first of them but for scores and purchases, whose customers are all in `judged`."""

STATE = ("records_changed", "pending", "merges", "erasing", "judged", "scores_changed", "purchases_changed")
"""Tables that a whole change gives as files of these kinds."""

_lock = threading.RLock()
_database: duckdb.DuckDBPyConnection | None = None
_folder: Path | None = None
_generation = 0
_number = 0
_files: dict[str, dict[str, int]] = {}


def current() -> tuple[duckdb.DuckDBPyConnection, int]:
    """The database, brought up to the last change that is committed, and a number that changes when it is another."""
    global _database, _folder, _generation, _number
    with _lock:
        if _database is None or _folder != settings.LAKE:
            close()
            fresh = connecting.connect(":memory:", spill=Path(settings.HOME) / "lake.spill")
            fresh.execute("SET parquet_metadata_cache = true")  # a file never changes
            _prepare(fresh)
            _database, _folder, _number = fresh, settings.LAKE, 0
            _generation += 1
        _follow(_database)
        return _database, _generation


def close() -> None:
    global _database, _generation, _number
    with _lock:
        if _database is not None:
            _database.close()
        _database, _number = None, 0
        _generation += 1
        _files.clear()


def cursor() -> duckdb.DuckDBPyConnection:
    """A cursor of its own on the present state."""
    return current()[0].cursor()


def number() -> int:
    """The last change that was followed."""
    return _number


def names(kind: str) -> dict[str, int]:
    """The files of a kind in this state, with their rows."""
    return dict(_files.get(kind, {}))


def packed(tables: Mapping[str, pa.Table]) -> bytes:
    """Rows as a change carries them."""
    found: bytes = msgspec.msgpack.encode({n: _stream(table) for n, table in tables.items() if table.num_rows})
    return found


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _prepare(pen: duckdb.DuckDBPyConnection) -> None:
    """Empty tables of the shapes that the embedded warehouse has, and views over nothing."""
    for step in schema.STEPS:
        pen.execute(step)
    for base in BASES:
        pen.execute(f"ALTER TABLE {base} RENAME TO {base}_changed")
    pen.execute("CREATE TABLE judged(customer_id BIGINT); CREATE TABLE erasing(record_id BIGINT, until BIGINT)")
    for base in BASES:
        pen.execute(_view(base, (), erasing=False))


def _view(base: str, listed: Mapping[str, int] | tuple[()], *, erasing: bool) -> str:
    """Of events and lines all is in files. Columns that an older version didn't have yet are NULL."""
    sql = f"CREATE OR REPLACE VIEW {base} AS FROM memory.main.{base}_changed"
    if not listed:
        return sql
    rows = f"FROM read_parquet({files.listed(listed)}, union_by_name = true)"
    if base == "records":
        rows += " ANTI JOIN memory.main.records_changed USING (record_id)"
    elif base in ("purchases", "scores"):
        rows += " ANTI JOIN memory.main.judged USING (customer_id)"
    elif base == "events" and erasing:  # until their files are written anew
        rows = f"""SELECT f.* REPLACE (CASE WHEN until IS NULL THEN properties ELSE '{{}}' END AS properties)
                   {rows} f LEFT JOIN memory.main.erasing e ON f.record_id = e.record_id AND f.position < e.until"""
    return f"{sql} UNION ALL BY NAME ({rows})"


def _follow(database: duckdb.DuckDBPyConnection) -> None:
    global _number, _files
    found = list(
        Change.objects.filter(number__gt=_number).order_by("number").values_list("number", "whole", "data", "rows")
    )
    if not found:
        return
    begin = max((place for place, change in enumerate(found) if change[1]), default=0)
    pen = database.cursor()
    pen.execute("BEGIN")
    try:
        there = {kind: dict(names) for kind, names in _files.items()}
        moved, dropped = set[str](), set[str]()
        for _, whole, data, rows in found[begin:]:
            if whole:
                for table in ("meta", *STATE):
                    pen.execute(f"DELETE FROM {table}")  # noqa: S608 (our own names, here and below)
                moved, there = set(BASES), {}
            for kind, names in data.get("add", {}).items():
                there.setdefault(kind, {}).update(names)
            dropped |= set(data.get("drop", ()))
            moved |= set(data.get("add", ())) | {k for k, names in there.items() if dropped & set(names)}
            _keep(pen, data.get("meta", {}))
            carried = msgspec.msgpack.decode(bytes(rows)) if rows else {}
            for table in TABLES:
                if table in carried:
                    _put(pen, table, pa.ipc.open_stream(carried[table]).read_all())
            if "erased" in carried:
                pen.register("carried", pa.ipc.open_stream(carried["erased"]).read_all())
                pen.execute(
                    "DELETE FROM erasing USING carried c WHERE erasing.record_id = c.record_id "
                    "AND erasing.until <= c.until"
                )
                pen.unregister("carried")
            if "erasing" in carried or "erased" in carried:
                moved.add("events")
            if whole:
                for table in STATE:
                    if there.get(table):
                        names = files.listed(there[table])
                        pen.execute(f"INSERT INTO {table} BY NAME FROM read_parquet({names}, union_by_name = true)")
        there = {k: {n: rows for n, rows in names.items() if n not in dropped} for k, names in there.items()}
        erasing = pen.execute("SELECT count(*) > 0 FROM erasing").fetchall()[0][0]
        for base in BASES:
            if base in moved:
                pen.execute(_view(base, there.get(base, {}), erasing=erasing))
        pen.execute("COMMIT")
    except BaseException:
        pen.execute("ROLLBACK")
        raise
    finally:
        pen.close()
    _number, _files = found[-1][0], there


def _keep(pen: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> None:
    if values:
        pen.execute("DELETE FROM meta WHERE key IN (SELECT unnest(?))", [list(values)])
        pen.executemany("INSERT INTO meta VALUES (?, ?)", [[key, json.dumps(value)] for key, value in values.items()])


def _put(pen: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    key, tables = TABLES[name]
    pen.register("carried", rows)
    if name not in ("scores", "purchases"):
        for table in tables:
            pen.execute(f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM carried)")  # noqa: S608
    pen.execute(f"INSERT INTO {tables[0]} BY NAME FROM carried")
    if name == "merges":  # one without a target is a merge undone
        pen.execute("DELETE FROM merges WHERE target IS NULL")
    pen.unregister("carried")
