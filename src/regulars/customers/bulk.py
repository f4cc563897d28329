"""Writing thousands of rows at a time, around the ORM where that costs more than the database does."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

import msgspec
from django.db import connection, models

Item = TypeVar("Item")
_encode = msgspec.json.Encoder().encode


def pieces(items: Iterable[Item], size: int = 5000) -> Iterator[list[Item]]:
    """Lists of at most `size`: what one `IN (…)` takes on every database."""
    rest = iter(items)
    while piece := list(islice(rest, size)):
        yield piece


def rows(sql: str, values: Collection[Any], kind: str, *params: Any) -> list[tuple[Any, ...]]:
    """Of a question in which "{among}" stands for "is one of the values", after its other parameters: one parameter
    however many values there are. `kind` is PostgreSQL's type of them. JSON comes as text, truth on SQLite as 0 and 1.
    """
    if not values:
        return []
    sqlite = connection.vendor == "sqlite"
    among = "IN (SELECT value FROM json_each(%s))" if sqlite else f"= ANY(%s::{kind}[])"
    with connection.cursor() as cursor:
        every = _encode(list(values)).decode() if sqlite else list(values)
        cursor.execute(sql.replace("{among}", among), [*params, every])
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def alone() -> None:
    """Wait until nobody else resolves or merges, until the end of the transaction. SQLite's are alone anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(7120250)")


def next_ids(model: type[models.Model], count: int) -> Iterator[int]:
    """`count` ids that nobody else gets, ascending; those not used are lost. Call `alone` first."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [table, count]
            )
            return iter([row[0] for row in cursor.fetchall()])
        cursor.execute("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = %s", [table])
        last = cursor.fetchone()[0]
        return iter(range(last + 1, last + 1 + count))


def _stored(model: type[models.Model], columns: Sequence[str], rows: Collection[Sequence[Any]]) -> list[list[Any]]:
    """The values as the database keeps them: JSON is text, and on SQLite moments are naive UTC as text."""
    fields = [model._meta.get_field(name) for name in columns]
    kept = [list(row) for row in rows]
    as_text = connection.vendor == "sqlite"
    for place, field in enumerate(fields):
        if isinstance(field, models.DateTimeField):
            if as_text:
                for row in kept:
                    row[place] = _told(row[place])
        elif isinstance(field, models.JSONField):
            for row in kept:
                row[place] = _json(row[place])
    return kept


def _told(at: datetime | None) -> str | None:
    if at is None:
        return None
    return str(at if at.tzinfo is UTC else at.astimezone(UTC))[:-6]  # without +00:00


def _json(value: Any) -> str:
    try:
        return _encode(value).decode()
    except (OverflowError, UnicodeEncodeError, TypeError):
        return json.dumps(value, ensure_ascii=False)


def _column(model: type[models.Model], name: str) -> str:
    return f'"{model._meta.get_field(name).column}"'  # type: ignore[union-attr]


def insert(model: type[models.Model], columns: Sequence[str], rows: Collection[Sequence[Any]]) -> None:
    """Insert rows of values in the order of `columns` (names of fields; every column without a default in the
    database has to be there).
    """
    if not rows:
        return
    names = ", ".join(_column(model, name) for name in columns)
    marks = ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {model._meta.db_table} ({names}) VALUES ({marks})",  # noqa: S608 (names of ours)
            _stored(model, columns, rows),
        )


def update(model: type[models.Model], columns: Sequence[str], rows: Collection[Sequence[Any]]) -> None:
    """Set `columns` of the rows whose id comes last in each of `rows`."""
    if not rows:
        return
    sets = ", ".join(f"{_column(model, name)} = %s" for name in columns)
    stored = _stored(model, [*columns, "id"], rows)
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {model._meta.db_table} SET {sets} WHERE id = %s", stored)  # noqa: S608
