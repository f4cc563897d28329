"""From the SQLite of a data folder to an empty PostgreSQL: every table in one transaction, compared afterwards.

One transaction, so that a move that is cut short leaves nothing and is simply begun again. What the inbox still holds
is taken in first. The warehouse isn't moved: its subscriber begins at the beginning of the log.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, connections, models, transaction
from django.db.utils import ConnectionHandler, Error
from psycopg.types.json import Jsonb

from regulars.eventlog import queries as eventlog
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Invalid, Problem
from regulars.kernel.languages import Text
from regulars.settings import database
from regulars.wiring import receiving
from regulars.wiring.subscriptions import SUBSCRIBERS

BATCH = 5_000
# Places in inboxes, which stay behind, empty; and who works on the old folder.
_NOT_MOVED = {"eventlog.IntakeCursor", "jobs.Process"}
_MADE_BY_MIGRATIONS = {"contenttypes.ContentType", "auth.Permission"}

Say = Callable[[str], None]
Model = type[models.Model]


def move(url: str, *, recent_only: bool = False, say: Say = lambda line: None) -> dict[str, Any]:
    """Copy everything to the database at `url`; {"rows", "events", "checksum", "url", "home"}. Done before, and nothing
    changed since on either side, it says so again: a move that was killed just before its end may have arrived.

    Raises Conflict when this folder's database is PostgreSQL, when the target isn't empty, or when old events are in
    the warehouse alone (unless `recent_only`); Invalid for an address that isn't one; Problem when copying fails.
    """
    _check(url, recent_only)
    receiving.open_inbox().close()  # nobody writes any more: all of it may be read
    while receiving.drain():
        pass
    connections.databases["target"] = ConnectionHandler({"default": {}, "target": database(url)}).settings["target"]
    target = connections["target"]
    try:
        moved = [model for model in apps.get_models(include_auto_created=True) if _moves(model)]
        full = _filled()
        if not full:
            _migrate(url)
            _fill(moved, say)
        elif _different(moved):
            raise _not_empty(full)
        checksum, events = _compared(moved, say)
        rows = sum(model._base_manager.count() for model in moved)
    except Error as error:
        raise Problem(
            "move_failed",
            Text("Moving failed, and nothing was moved: {why}", "迁移失败，未迁移任何数据：{why}").filled(
                why=str(error).strip()
            ),
        ) from error
    finally:
        target.close()
        del connections.databases["target"]
    return {"rows": rows, "events": events, "checksum": checksum, "url": url, "home": settings.HOME}


def _check(url: str, recent_only: bool) -> None:
    if connection.vendor != "sqlite":
        raise Conflict(
            "already_postgresql",
            Text(
                "This data is in PostgreSQL already. Unset REGULARS_DATABASE_URL to move a data folder.",
                "数据已在 PostgreSQL 中。要迁移数据目录，请先取消设置 REGULARS_DATABASE_URL。",
            ),
        )
    if not url.startswith(("postgresql://", "postgres://")):
        raise Invalid(
            "not_postgresql",
            Text("Give the address as postgresql://…", "请以 postgresql://… 的形式提供地址。"),
            field="to",
        )
    first = eventlog.first_position()
    if first > 1 and not recent_only:
        raise Conflict(
            "history_in_warehouse",
            Text(
                "{count:,} old events are kept in the analytics file alone, and figures computed anew would lack them. "
                "With --recent-only the move is made without them.",
                "有 {count:,} 个较早的事件仅保存在分析文件中，重新计算的数字将不包含它们。"
                "如仍要迁移，请加上 --recent-only。",
            ).filled(count=first - 1),
        )


def _moves(model: Model) -> bool:
    return model._meta.managed and not model._meta.proxy and model._meta.label not in _NOT_MOVED


def _filled() -> str:
    """A table of the target that has rows, or "". What a move that was cut short left isn't anything."""
    target = connections["target"]
    there = set(target.introspection.table_names())
    for model in apps.get_models(include_auto_created=True):
        if model._meta.label in _MADE_BY_MIGRATIONS or model._meta.db_table not in there:
            continue
        if model._base_manager.using("target").exists():
            return model._meta.db_table
    return ""


def _not_empty(table: str) -> Conflict:
    return Conflict(
        "target_not_empty",
        Text(
            "The database isn't empty ({table} has rows). Move into a new one.",
            "目标数据库不为空（表 {table} 中已有数据），请使用新的数据库。",
        ).filled(table=table),
        field="to",
    )


def _fill(moved: list[Model], say: Say) -> None:
    target = connections["target"]
    with transaction.atomic(using="target"):
        with target.cursor() as cursor:
            tables = ", ".join(target.ops.quote_name(model._meta.db_table) for model in moved)
            cursor.execute(f"TRUNCATE {tables} CASCADE")
        for model in moved:
            _copied(model, say)
        _go_on_counting(moved)
        _feed_anew()


def _migrate(url: str) -> None:
    """In a process of its own, whose only database it is: migrations of data don't ask which one is meant."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "REGULARS_DATABASE_URL": url, "REGULARS_HOME": home}
        command = [sys.executable, "-m", "regulars", "migrate"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise Error(done.stderr.strip().rpartition("\n")[2])


def _batches(model: Model, using: str) -> Iterator[list[tuple[Any, ...]]]:
    """All rows in the order of their keys; the key comes first."""
    names = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
    rows = model._base_manager.using(using).order_by("pk").values_list("pk", *names)
    found = list(rows[:BATCH])
    while found:
        yield found
        found = list(rows.filter(pk__gt=found[-1][0])[:BATCH])


def _copied(model: Model, say: Say) -> None:
    meta = model._meta
    assert meta.pk is not None
    fields = [meta.pk, *(field for field in meta.concrete_fields if not field.primary_key)]
    target, count, told = connections["target"], 0, 0
    total = model._base_manager.count()
    columns = ", ".join(target.ops.quote_name(str(field.column)) for field in fields)
    json_at = {place for place, field in enumerate(fields) if isinstance(field, models.JSONField)}
    with target.cursor() as cursor:
        statement = f"COPY {target.ops.quote_name(meta.db_table)} ({columns}) FROM STDIN"
        with cursor.copy(statement) as copy:
            for batch in _batches(model, "default"):
                for row in batch:
                    copy.write_row(
                        [
                            Jsonb(_fit(value)) if place in json_at and value is not None else _fit(value)
                            for place, value in enumerate(row)
                        ]
                    )
                count += len(batch)
                if count * 10 // total > told and total > BATCH:
                    told = count * 10 // total
                    say(f"{meta.db_table}: {count:,} / {total:,}")


def _fit(value: Any) -> Any:
    """Without what PostgreSQL takes in no text: NUL and halves of surrogate pairs."""
    if isinstance(value, str):
        return (
            value
            if value.isascii() and "\0" not in value
            else value.replace("\0", "").encode("utf-8", "replace").decode()
        )
    if isinstance(value, dict):
        return {_fit(key): _fit(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_fit(item) for item in value]
    return value


def _go_on_counting(moved: list[Model]) -> None:
    """No id that was given before is given again, not even one whose row is gone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, seq FROM sqlite_sequence")
        last = dict(cursor.fetchall())
    with connections["target"].cursor() as cursor:
        for model in moved:
            if isinstance(model._meta.pk, models.AutoField) and last.get(model._meta.db_table):
                table = model._meta.db_table
                sequence = "pg_get_serial_sequence(%s, %s)"
                cursor.execute(f"SELECT setval({sequence}, %s)", [table, model._meta.pk.column, last[table]])


def _feed_anew() -> None:
    """Subscribers that keep their place in a store of their own find an empty one there."""
    own = [one.name for one in SUBSCRIBERS if one.own_place]
    cursors = apps.get_model("eventlog", "Cursor")._base_manager.using("target")
    cursors.filter(name__in=own).update(position=0, failures=0, retry_at=None, error="")


def _different(moved: list[Model]) -> list[str]:
    """The tables that have another number of rows there."""
    there = set(connections["target"].introspection.table_names())
    return [
        model._meta.db_table
        for model in moved
        if model._meta.db_table not in there
        or model._base_manager.count() != model._base_manager.using("target").count()
    ]


def _compared(moved: list[Model], say: Say) -> tuple[str, int]:
    """Checksum and number of the log's events. Raises Problem when anything differs."""
    wrong = _different(moved)
    say(str(Text("Comparing the logs.", "正在比对日志。")))
    log = apps.get_model("eventlog", "Event")
    here, there = _checksum(log, "default"), _checksum(log, "target")
    if here != there or wrong:
        raise Problem(
            "move_differs",
            Text(
                "What arrived isn't what was sent ({what}). Don't use that database; move again into a new one.",
                "迁移后的数据与原数据不一致（{what}）。请勿使用该数据库，并重新迁移到新的数据库。",
            ).filled(what=", ".join(wrong) or "eventlog_event"),
        )
    return here, log._base_manager.count()


def _checksum(model: Model, using: str) -> str:
    digest = sha256()
    for batch in _batches(model, using):
        for row in batch:
            digest.update(json.dumps([_plain(_fit(value)) for value in row], sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _plain(value: Any) -> Any:
    """The same for both databases: jsonb writes some numbers in another way (1e300, -0.0)."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return float(value) + 0.0 if abs(value) < 2**1000 else str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return clock.micros(value)
