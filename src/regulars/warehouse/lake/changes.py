"""Writing to the log of changes: in turn, each change and what belongs to it in one transaction of PostgreSQL.

A writer writes its files first, synced, and then the change that names them: killed between the two it leaves files
that nobody names. Long work (a full refresh, writing files anew) is done outside the turn, by one process at a time
(`alone`), and its change is written in a turn that looks whether what it was about still stands.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
from django.db import connection, transaction

from regulars.warehouse.lake import files, replica
from regulars.warehouse.models import Change

_SPACE = 0x7265_6775  # of PostgreSQL's advisory locks
_TURN = 1
_WORKS = {"live": 2, "full": 3, "upkeep": 4}


@contextmanager
def writing() -> Iterator[None]:
    """A turn: nobody else writes, and this process has followed all that was written."""
    begun = None
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_SPACE, _TURN])
            replica.current()
            begun = replica.number()
            yield
    except BaseException:
        if begun not in (None, replica.number()):  # it followed what never came to be
            replica.close()
        raise


@contextmanager
def alone(work: str, *, wait: bool = False) -> Iterator[bool]:
    """Whether this is the only process at this work ("live", "full", "upkeep") for as long as the block lasts; with
    `wait` it becomes that. When the process dies, another may go on at once.

    The lock stands in a transaction of its own connection: what the work writes meanwhile is visible, and a pooler in
    between does no harm.
    """
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            ask = "SELECT pg_advisory_xact_lock(%s, %s)" if wait else "SELECT pg_try_advisory_xact_lock(%s, %s)"
            cursor.execute(ask, [_SPACE, _WORKS[work]])
            got = cursor.fetchone()[0]
        yield wait or bool(got)
    finally:
        own.close()


def add(
    *, meta: Mapping[str, Any] | None = None, add: Mapping[str, Mapping[str, int]] | None = None,
    drop: Iterable[str] = (), tables: Mapping[str, pa.Table] | None = None, whole: bool = False,
) -> None:  # fmt: skip
    """Write a change, in the turn of the caller: values by name, files that count from now on and that no longer do,
    rows of small tables (replica.TABLES)."""
    gone = sorted(drop)
    data = {"meta": dict(meta or {}), "add": {k: dict(v) for k, v in (add or {}).items() if v}, "drop": gone}
    number = replica.number() + 1
    Change.objects.create(number=number, whole=whole, data=data, rows=replica.packed(tables or {}))
    if whole:
        Change.objects.filter(number__lt=number).delete()
    files.drop(gone)


def since_whole() -> int:
    """How many changes somebody who begins now has to follow."""
    return Change.objects.count()


def whole(
    pen: duckdb.DuckDBPyConnection, *, meta: Mapping[str, Any], records: bool = False,
    bases: Mapping[str, Mapping[str, int]] | None = None, since: int | None = None,
    judged: Mapping[str, pa.Table] | None = None,
) -> None:  # fmt: skip
    """Write all there is as one change, in the turn of the caller, so that others needn't follow what led to it.

    `pen` sees the present state. `records`: in one file again. `bases`: new files of purchases and scores, over which
    only `judged` (tables judged, scores, purchases) lies then; of `pending` what came after the position `since` stays.
    """
    kept = dict(pen.execute("SELECT key, value FROM meta WHERE key <> 'schema'").fetchall())
    there = {base: replica.names(base) for base in replica.BASES}
    made: dict[str, dict[str, int]] = {}
    state = list(replica.STATE)
    if records:
        there["records"] = made["records"] = files.copy(pen, "records", "FROM records ORDER BY record_id")
        state.remove("records_changed")
    if bases is not None:
        assert judged is not None
        there |= {base: dict(names) for base, names in bases.items()}
        for table in ("judged", "scores", "purchases"):
            name = table if table == "judged" else f"{table}_changed"
            made[name] = files.write(name, judged[table])
            state.remove(name)
    for table in state:
        where = f" WHERE position > {since}" if table == "pending" and since is not None else ""
        count = pen.execute(f"SELECT count(*) FROM {table}{where}").fetchall()[0][0]  # noqa: S608 (our own names)
        made[table] = files.copy(pen, table, f"FROM {table}{where}") if count else {}
    before = {name for kind in (*replica.BASES, *replica.STATE) for name in replica.names(kind)}
    after = there | made
    stays = {name for names in after.values() for name in names}
    values = {key: json.loads(value) for key, value in kept.items()} | dict(meta)
    add(meta=values, add=after, drop=before - stays, whole=True)
