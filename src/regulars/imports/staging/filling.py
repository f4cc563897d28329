"""The import's own DuckDB file: opened, filled with the rows of the file as text, and what was found out about them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from regulars.imports import formats, reading
from regulars.kernel.errors import Conflict, Invalid, no_room
from regulars.kernel.languages import Text


def _connected(path: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        str(path),
        config={
            "memory_limit": "700MB",
            "threads": 2,
            "temp_directory": str(path.with_suffix(".spill")),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "preserve_insertion_order": "false",
        },
    )


@contextmanager
def opened(path: Path, *, patience: int = 10) -> Iterator[duckdb.DuckDBPyConnection]:
    """The import's own file, made when missing. Who shows it may have it open for a while in another process: so many
    seconds are waited for.
    """
    for _ in range(patience * 10):
        try:
            database = _connected(path)
            break
        except duckdb.IOException as error:
            if full := no_room(error):
                raise full from None
            threading.Event().wait(0.1)
    else:
        raise Conflict(
            "import_in_use",
            Text(
                "This import is open in another process. Wait until it has ended.",
                "该导入正由另一个进程处理，请等待其结束。",
            ),
        )
    try:
        formats.prepare(database)
        yield database
    finally:
        database.close()


def load(
    database: duckdb.DuckDBPyConnection, path: Path, layout: reading.Layout, seen: Callable[[int], None]
) -> tuple[int, int]:
    """Bring the file's rows in as text; (rows, rows that can't be read). Once complete, it isn't done again."""
    names = [f"c{index}" for index in range(len(layout.headers))]
    if not loaded(database):
        database.execute("DROP TABLE IF EXISTS raw; DROP TABLE IF EXISTS faults")
        database.execute(f"CREATE TABLE raw (row BIGINT, {', '.join(f'{name} VARCHAR' for name in names)})")
        database.execute("CREATE TABLE faults (row BIGINT, reason VARCHAR, said VARCHAR)")
        for batch in reading.batches(path, layout, seen):
            try:
                arrays = [pa.array(column, pa.string()) for column in batch.columns]
            except UnicodeEncodeError:  # halves of surrogate pairs, from UTF-16 or a spreadsheet
                arrays = [
                    pa.array([None if v is None else v.encode("utf-8", "replace").decode() for v in c], pa.string())
                    for c in batch.columns
                ]
            rows = pa.table([pa.array(batch.numbers, pa.int64()), *arrays], names=["row", *names])
            database.register("coming", rows)
            database.execute("INSERT INTO raw SELECT * FROM coming")
            database.unregister("coming")
            if batch.faults:
                said = [(f.row, f.reason, f.text.encode("utf-8", "replace").decode()) for f in batch.faults]
                database.executemany("INSERT INTO faults VALUES (?, ?, ?)", said)
        keep(database, "loaded", "yes")
    counts = database.execute("SELECT (SELECT count(*) FROM raw), (SELECT count(*) FROM faults)").fetchone()
    assert counts
    if not counts[0]:
        raise Invalid(
            "empty", Text("The file has no rows that can be read.", "文件中没有可读取的数据行。"), field="file"
        )
    return counts[0], counts[1]


def loaded(database: duckdb.DuckDBPyConnection) -> bool:
    """Whether all rows of the file are here."""
    database.execute("CREATE TABLE IF NOT EXISTS place (what VARCHAR PRIMARY KEY, value VARCHAR)")
    return kept(database, "loaded") == "yes"


def kept(database: duckdb.DuckDBPyConnection, what: str) -> str:
    """What was found out about the file and kept under this name; "" if nothing was."""
    row = database.execute("SELECT value FROM place WHERE what = ?", [what]).fetchone()
    return row[0] if row else ""


def keep(database: duckdb.DuckDBPyConnection, what: str, value: str) -> None:
    database.execute("INSERT OR REPLACE INTO place VALUES (?, ?)", [what, value])
