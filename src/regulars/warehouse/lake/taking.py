"""What the feed writes to: tables with the rows that a batch touches, under the names of the embedded warehouse; what
they hold in the end becomes files and a change.
"""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
from django.db import connection

from regulars.warehouse.lake import changes, files, replica
from regulars.warehouse.models import OrderEntry

_ENTRY = {
    "order_id": pa.string(), "position": pa.int64(), "record_id": pa.int64(), "store": pa.string(),
    "channel": pa.string(), "amount": pa.int64(), "kind": pa.string(), "currency": pa.string(),
}  # fmt: skip
_ENTRIES = """
    SELECT order_id, position, any_value(record_id), any_value(store), any_value(channel), sum(amount)::BIGINT,
        any_value(kind), any_value(currency)
    FROM {lines} WHERE order_id IS NOT NULL{more} GROUP BY order_id, position ORDER BY position
"""


@contextmanager
def taking(*, records: Collection[int], orders: Collection[str] = ()) -> Iterator[duckdb.DuckDBPyConnection]:
    """A turn (changes.writing) with a connection whose `records` and `merges` are those of the trees of these records
    and of who made these orders, `lines` one row for each event of these orders, `meta` all values; `events` and
    `pending` are empty. In the end new events and lines are written as files, the rest is laid over what there was.
    """
    with changes.writing():
        pen = replica.cursor()
        try:
            before = _laid_out(pen, sorted(records), sorted(orders))
            yield pen
            _written(pen, before)
        finally:
            pen.close()


def _laid_out(pen: duckdb.DuckDBPyConnection, records: list[int], orders: list[str]) -> int:
    """The tables; the position up to which everything was taken."""
    entries: list[tuple[Any, ...]] = []
    if orders:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {', '.join(_ENTRY)} FROM warehouse_orderentry WHERE order_id = ANY(%s::text[])",  # noqa: S608
                [orders],
            )
            entries = cursor.fetchall()
    owners = {entry[2] for entry in entries if entry[2] is not None}
    values = zip(*entries, strict=True) if entries else [()] * len(_ENTRY)
    found = pa.table({name: pa.array(v, kind) for (name, kind), v in zip(_ENTRY.items(), values, strict=True)})
    pen.register("named", pa.table({"record_id": pa.array(sorted(owners | set(records)), pa.int64())}))
    pen.register("entries", found)
    pen.execute(
        """
        CREATE TEMP TABLE trees AS FROM records SEMI JOIN (
            SELECT customer_id FROM records SEMI JOIN named USING (record_id)) USING (customer_id);
        CREATE TEMP TABLE knots AS FROM merges SEMI JOIN trees ON source = record_id;
        CREATE TEMP TABLE kept AS FROM meta;
        CREATE TEMP TABLE records AS FROM trees;
        CREATE TEMP TABLE merges AS FROM knots;
        CREATE TEMP TABLE events AS FROM events_changed;
        CREATE TEMP TABLE lines AS FROM lines_changed;
        CREATE TEMP TABLE meta AS FROM kept;
        CREATE TEMP TABLE pending AS FROM pending LIMIT 0;
        CREATE TEMP TABLE erasing(record_id BIGINT, until BIGINT);
        INSERT INTO lines BY NAME FROM entries;
        """
    )
    pen.unregister("named")
    pen.unregister("entries")
    rows = pen.execute("SELECT value FROM meta WHERE key = 'position'").fetchall()
    return json.loads(rows[0][0]) if rows else 0


def _written(pen: duckdb.DuckDBPyConnection, before: int) -> None:
    events = pen.execute("FROM events ORDER BY record_id, position").to_arrow_table()
    lines = pen.execute("FROM lines WHERE position > ? ORDER BY record_id, position, line", [before]).to_arrow_table()
    meta = {key: json.loads(value) for key, value in pen.execute("FROM meta EXCEPT FROM kept").fetchall()}
    records = "FROM records EXCEPT FROM trees"
    merges = """SELECT coalesce(m.source, k.source) AS source, m.target FROM merges m FULL JOIN knots k USING (source)
                WHERE m.target IS DISTINCT FROM k.target"""
    latest = "SELECT record_id, max(position) AS position FROM pending GROUP BY 1"
    gone = "SELECT record_id, max(until) AS until FROM erasing GROUP BY 1"
    said = {"records": records, "merges": merges, "pending": latest, "erasing": gone}
    tables = {name: pen.execute(sql).to_arrow_table() for name, sql in said.items()}
    if not (meta or events.num_rows or lines.num_rows or any(table.num_rows for table in tables.values())):
        return
    noted(pen, "lines", f" AND position > {before}")
    made = {"events": files.write("events", events), "lines": files.write("lines", lines)}
    changes.add(meta=meta, add=made, tables=tables)


def noted(pen: duckdb.DuckDBPyConnection, lines: str, more: str = "") -> None:
    """Enter lines into the orders that later events are held against."""
    rows = pen.execute(_ENTRIES.format(lines=lines, more=more)).to_arrow_table()
    with connection.cursor() as cursor:
        for piece in rows.to_batches(max_chunksize=50_000):
            cursor.execute(
                f"INSERT INTO warehouse_orderentry ({', '.join(_ENTRY)}) SELECT * FROM unnest(%s::text[], "  # noqa: S608
                "%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[])",
                [column.to_pylist() for column in piece.columns],
            )


def told_anew(change: Callable[[duckdb.DuckDBPyConnection], None]) -> int | None:
    """Write every file of events and lines anew, in the turn of the caller: `change` is given each as tables `events`
    and `lines`, one of them empty. The day of the last paid line.
    """
    made: dict[str, dict[str, int]] = {"events": {}, "lines": {}}
    dropped: list[str] = []
    for kind in ("events", "lines"):
        for name in replica.names(kind):
            pen = replica.cursor()
            try:
                pen.execute("CREATE TEMP TABLE kept AS FROM meta; CREATE TEMP TABLE meta AS FROM kept")
                for table in ("events", "lines"):
                    pen.execute(f"CREATE TEMP TABLE {table} AS FROM {table}_changed")
                source = f"read_parquet({files.listed([name])})"
                pen.execute(f"INSERT INTO {kind} BY NAME FROM {source}")
                change(pen)
                made[kind] |= files.copy(pen, kind, f"FROM {kind} ORDER BY record_id, position", of=files.run(name))
            finally:
                pen.close()
            dropped.append(name)
    pen = replica.cursor()
    lines = f"read_parquet({files.listed(made['lines'])})" if made["lines"] else "lines_changed"
    OrderEntry.objects.all().delete()
    noted(pen, lines)
    last = pen.execute(f"SELECT max(day) FROM {lines} WHERE paid").fetchall()[0][0]  # noqa: S608
    pen.close()
    changes.add(add=made, drop=dropped)
    replica.current()
    return last if last is None else int(last)
