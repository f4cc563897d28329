"""How DuckDB is opened, as a file or in memory: its limits, where it spills, the format of files."""

import logging
import os
from pathlib import Path

import duckdb

from regulars.kernel.errors import no_room

log = logging.getLogger(__name__)

FORMAT = "v1.5.0"
"""The format of files. From this one on a column of words with gaps (stores, categories) is read five to ten times as
fast as in the one that DuckDB would take by itself."""


def connect(database: str, *, spill: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        database,
        config={
            "storage_compatibility_version": FORMAT,
            "memory_limit": os.environ.get("REGULARS_WAREHOUSE_MEMORY", _memory()),
            "threads": int(os.environ.get("REGULARS_WAREHOUSE_THREADS", os.cpu_count() or 2)),
            "temp_directory": str(spill),
            "autoinstall_known_extensions": "false",
            "preserve_insertion_order": "false",
            "wal_autocheckpoint": "32MB",  # what is in it is in memory too
        },
    )


def of_format(database: duckdb.DuckDBPyConnection) -> bool:
    """Whether an open file is of this format: it keeps the one that it was made in."""
    rows = database.execute("SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal").fetchall()
    return rows == [(f"{FORMAT}+",)]


def write_anew(file: Path, *, spill: Path) -> None:
    """Bring a file that nobody has open to this format; half a minute for 25 million events. Killed anywhere, the file
    is the old one or the new one: what its .wal held is in it before. Without room for both it stays as it is, which is
    slower and nothing else."""
    log.info("the warehouse is written anew, in the format %s", FORMAT)
    with connect(str(file), spill=spill) as database:
        database.execute("CHECKPOINT")
    fresh = file.with_suffix(".anew")
    fresh.unlink(missing_ok=True)
    try:
        with connect(":memory:", spill=spill) as database:
            for path, how in ((file, "AS old (READ_ONLY)"), (fresh, f"AS fresh (STORAGE_VERSION '{FORMAT}')")):
                database.execute(f"ATTACH '{str(path).replace(chr(39), chr(39) * 2)}' {how}")
            database.execute("COPY FROM DATABASE old TO fresh")
            database.execute("CHECKPOINT fresh")
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        fresh.replace(file)
    except (duckdb.Error, OSError) as fault:
        if no_room(fault) is None:
            raise
        fresh.unlink(missing_ok=True)
        fresh.with_suffix(".anew.wal").unlink(missing_ok=True)
        log.warning("no room to write the warehouse anew: it stays in its old format, and slower")


def _memory() -> str:
    """Half of the machine's memory, at most 8 GB: the web server and the database live here too."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        total = 4 * 2**30
    return f"{max(512, min(8192, total // 2**21))}MB"
