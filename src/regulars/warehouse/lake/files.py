"""Files of the lake: written once, synced, never changed; known by their name below the folder.

A file that no change names is garbage: what a killed writer left, or what was replaced. It is deleted after a pause
(`GRACE`) in which whoever still reads it has finished. The pause counts from the file's time of modification, so
dropping a file touches it.
"""

import os
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from regulars.warehouse import lake

GRACE = 6 * 3600.0
"""Seconds; longer than any page and any full refresh takes."""
GROUP = 61_440
"""Rows in a row group: small, so that the rows of one record are few to read in a file sorted by record."""


def path(name: str) -> Path:
    return lake.folder() / name


def new(kind: str, ending: str = ".parquet", *, of: str = "") -> str:
    """A name that nobody has, of the run `of` or of one of its own; its folder exists afterwards."""
    path(kind).mkdir(parents=True, exist_ok=True)
    return f"{kind}/{of}{'.' * bool(of)}{uuid.uuid4().hex}{ending}"


def run(name: str) -> str:
    """Files of one run lie side by side in the order of records: one record's rows are in one of them."""
    return name.partition("/")[2].partition(".")[0]


def listed(names: Iterable[str]) -> str:
    """As a list in DuckDB's SQL."""
    return "[" + ", ".join("'" + str(path(name)).replace("'", "''") + "'" for name in names) + "]"


def write(kind: str, rows: pa.Table) -> dict[str, int]:
    """Rows as a new file, on the disk when this returns: {name: rows}; nothing for none."""
    if not rows.num_rows:
        return {}
    name = new(kind)
    pq.write_table(rows, path(name), compression="zstd", row_group_size=GROUP)
    sync(name)
    return {name: rows.num_rows}


def copy(pen: duckdb.DuckDBPyConnection, kind: str, sql: str, *, of: str = "") -> dict[str, int]:
    """The rows of a question as a new file, likewise; of the run `of` (see `run`)."""
    name = new(kind, of=of)
    where = str(path(name)).replace("'", "''")
    counted = pen.execute(f"COPY ({sql}) TO '{where}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {GROUP})")
    found = counted.fetchone()
    sync(name)
    return {name: found[0] if found else 0}


def sync(name: str) -> None:
    for place in (path(name), path(name).parent):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def drop(names: Iterable[str]) -> None:
    """Begin the pause of files that are no longer named."""
    for name in names:
        try:
            os.utime(path(name))
        except FileNotFoundError:
            continue


def there() -> list[str]:
    """Names of all files in the folder."""
    root = lake.folder()
    return [str(found.relative_to(root)) for found in root.rglob("*") if found.is_file()]


def sweep(names: Iterable[str]) -> int:
    """Delete these (found by `there`, and named by nobody since) if their pause is over; how many."""
    deleted, until = 0, time.time() - GRACE
    for name in names:
        try:
            if path(name).stat().st_mtime < until:
                path(name).unlink()
                deleted += 1
        except FileNotFoundError:
            continue
    return deleted
