"""How DuckDB is opened, as a file or in memory: its limits, and where it spills."""

import os
from pathlib import Path

import duckdb


def connect(database: str, *, spill: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        database,
        config={
            "memory_limit": os.environ.get("REGULARS_WAREHOUSE_MEMORY", _memory()),
            "threads": int(os.environ.get("REGULARS_WAREHOUSE_THREADS", os.cpu_count() or 2)),
            "temp_directory": str(spill),
            "autoinstall_known_extensions": "false",
            "preserve_insertion_order": "false",
            "wal_autocheckpoint": "64MB",
        },
    )


def _memory() -> str:
    """Half of the machine's memory, at most 8 GB: the web server and the database live here too."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        total = 4 * 2**30
    return f"{max(512, min(8192, total // 2**21))}MB"
