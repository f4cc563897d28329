"""The warehouse of a scaled installation: Parquet files in a folder that all processes reach, and a log of changes in
PostgreSQL that says which of them count.

Every process follows the log with a DuckDB in memory (`replica`) whose views bear the names of the embedded tables, so
that definitions and pages don't know the difference. Writers take a turn (`changes`); the feed works on the rows that a
batch touches (`taking`); `upkeep` keeps files few and empties them of erased people. Nothing here knows what events
mean.
"""

from pathlib import Path

from django.conf import settings


def used() -> bool:
    """Whether this installation is a scaled one."""
    return settings.LAKE is not None


def folder() -> Path:
    """Where the lake lies, the same for all processes."""
    assert settings.LAKE is not None
    return settings.LAKE
