"""Reading the log: by position for those who follow it, by customer for the timeline, the newest for the live view;
and what lies in quarantine or is parked.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db import connection
from django.db.models import Count, Max, Min

from regulars.eventlog.models import Cursor, Event, Numbering, ParkedEvent, Quarantined
from regulars.eventlog.rows import EventRow, LogRow
from regulars.kernel.errors import NotFound
from regulars.kernel.languages import Text

_FIELDS = "id, position, message_id, name, record_id, {at}, {received_at}, properties, context, source, actor"
_decode = msgspec.json.Decoder().decode


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(value) if value.__class__ is str else value


def _select(rest: str, params: Sequence[Any]) -> list[EventRow]:
    """Rows as they are in the table, around the ORM: followers read millions."""
    # As an expression a moment isn't read by Django's converter, which takes longer than all the rest of a row.
    moments = ("at || '+00:00'", "received_at || '+00:00'") if connection.vendor == "sqlite" else ("at", "received_at")
    fields = _FIELDS.format(at=moments[0], received_at=moments[1])
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {fields} FROM eventlog_event {rest}", params)  # noqa: S608 (no values in the text)
        return [
            EventRow(
                id, position, message_id, name, record_id, _moment(at), _moment(received), _decode(properties),
                _decode(context) if context != "{}" else {}, source, actor,
            )
            for id, position, message_id, name, record_id, at, received, properties, context, source, actor
            in cursor.fetchall()
        ]  # fmt: skip


def _among(column: str, values: Collection[Any], kind: str) -> tuple[str, Any]:
    """`column` is one of the values: one parameter however many there are. `kind` is PostgreSQL's type."""
    if connection.vendor == "sqlite":
        within = f"{column} IN (SELECT value FROM json_each(%s))"  # noqa: S608 (a column's name, no value)
        return within, msgspec.json.encode(list(values)).decode()
    return f"{column} = ANY(%s::{kind}[])", list(values)


def _stored(at: datetime) -> Any:
    """A moment as the column holds it."""
    return str(at.astimezone(UTC).replace(tzinfo=None)) if connection.vendor == "sqlite" else at


def last_position() -> int:
    """The position of the newest numbered event; 0 when there is none."""
    return Numbering.objects.filter(id=1).values_list("last", flat=True).first() or 0


def newest_of(record_ids: Collection[int], *, after: int) -> int | None:
    """The position of the newest event of these records beyond `after`, if there is one; of one that isn't numbered
    yet, the least that it can get.
    """
    last = last_position()
    found = None
    theirs = Event.objects.filter(record_id__in=record_ids)
    if last > after:
        found = theirs.filter(position__gt=after).aggregate(newest=Max("position"))["newest"]
    if found is None and connection.vendor != "sqlite" and theirs.filter(position=None).exists():
        return last + 1
    return found


def first_position() -> int:
    """The position of the oldest event that is kept; one beyond the last when none is."""
    found = Event.objects.filter(position__gt=0).order_by("position").values_list("position", flat=True).first()
    return found or last_position() + 1


def _next(position: int, limit: int, names: Collection[str] | None) -> tuple[str, list[Any]]:
    where, params = "WHERE position > %s AND position <= %s", [position, position + limit]
    if names is not None:
        among, value = _among("name", names, "text")
        where, params = f"{where} AND {among}", [*params, value]
    return f"{where} ORDER BY position", params


def after(position: int, limit: int = 1000, *, names: Collection[str] | None = None) -> list[EventRow]:
    """The events with the next `limit` positions, in order; fewer when narrowed to `names`."""
    return _select(*_next(position, limit, names))


def rows_after(position: int, limit: int = 1000, *, names: Collection[str] | None = None) -> list[LogRow]:
    """The same as they stand in the log."""
    rest, params = _next(position, limit, names)
    fields = "at, received_at, properties, context"
    if connection.vendor == "sqlite":  # no converter of Django's, and no characters made of bytes
        fields = "at || '', received_at || '', CAST(properties AS BLOB), CAST(context AS BLOB)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT position, name, record_id, {fields}, source FROM eventlog_event {rest}",  # noqa: S608
            params,
        )
        return [LogRow(*row) for row in cursor.fetchall()]


def at_positions(positions: Collection[int]) -> list[EventRow]:
    among, value = _among("position", positions, "bigint")
    return _select(f"WHERE {among} ORDER BY position", [value])


def by_message_id(message_id: str) -> EventRow:
    """Raises NotFound."""
    rows = _select("WHERE message_id = %s", [message_id])
    if not rows:
        raise NotFound("event", Text("There is no such event.", "没有这个事件。"))
    return rows[0]


def timeline(
    record_ids: Collection[int], *, names: Collection[str] | None = None, before: tuple[datetime, int] | None = None,
    limit: int = 50,
) -> list[EventRow]:  # fmt: skip
    """Events of these records, the latest first. `before` is (at, id) of the last row of the page before; `names`
    narrows to kinds of events (catalog.names_of gives those of a group).
    """
    if not record_ids:
        return []
    among, value = _among("record_id", record_ids, "bigint")
    where, params = f"WHERE {among}", [value]
    if names is not None:
        among, value = _among("name", names, "text")
        where, params = f"{where} AND {among}", [*params, value]
    if before is not None:
        at = _stored(before[0])
        # As one comparison: by OR SQLite would walk through the whole log for each half.
        where, params = f"{where} AND (at, id) < (%s, %s)", [*params, at, before[1]]
    return _select(f"{where} ORDER BY at DESC, id DESC LIMIT %s", [*params, limit])


def names_seen(names: Collection[str], *, among: int = 50_000) -> set[str]:
    """Those of these names that bear any of the latest `among` events."""
    newest = Event.objects.aggregate(newest=Max("id"))["newest"] or 0
    rows = Event.objects.filter(id__gt=newest - among, name__in=names).values_list("name", flat=True)
    return set(rows.distinct())


def recent(
    *, name: str = "", source: str = "", after_id: int | None = None, before_id: int | None = None, limit: int = 50
) -> list[EventRow]:
    """The newest events first, for the live view: those that came since `after_id`, or the page before `before_id`.

    `source` may be a prefix ("track:"). Looks at the latest 20,000 at most when narrowed, so that a rare name
    doesn't read the whole log.
    """
    where, params = ["TRUE"], list[Any]()
    if name or source:
        newest = before_id or (Event.objects.aggregate(newest=Max("id"))["newest"] or 0) + 1
        where, params = [*where, "id >= %s"], [*params, newest - 20_000]
    for condition, value in (("name = %s", name), ("id > %s", after_id), ("id < %s", before_id)):
        if value:
            where, params = [*where, condition], [*params, value]
    if source:
        where, params = [*where, "source >= %s AND source < %s"], [*params, source, source + "\U0010ffff"]
    return _select(f"WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT %s", [*params, limit])


@dataclass(frozen=True, slots=True)
class QuarantineGroup:
    """Events that couldn't be taken for the same reason: `code`, `field` and event name are the key."""

    code: str
    field: str
    name: str
    count: int
    first_at: datetime
    last_at: datetime
    example: Text


def in_quarantine() -> int:
    """How many events wait there to be repaired."""
    return Quarantined.objects.filter(state="open").count()


def quarantine_groups(*, state: str = "open") -> list[QuarantineGroup]:
    """The reasons, the most frequent first. Numbers rise with the moments of receipt, and an index has all of them."""
    rows = (
        Quarantined.objects.filter(state=state)
        .values("code", "field", "name")
        .annotate(count=Count("id"), oldest=Min("id"), newest=Max("id"))
        .order_by("-count", "code", "field", "name")[:200]
    )
    groups = list(rows)
    ends = Quarantined.objects.in_bulk([row[end] for row in groups for end in ("oldest", "newest")])
    return [
        QuarantineGroup(
            row["code"], row["field"], row["name"], row["count"], ends[row["oldest"]].received_at, last.received_at,
            Text(last.reason_en, last.reason_zh),
        )
        for row in groups
        for last in [ends[row["newest"]]]
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class QuarantinedEvent:
    """`payload` is the event as it came, or as somebody repaired it (then `original` is what came)."""

    id: int
    source: str
    received_at: datetime
    name: str
    payload: Any
    original: Any
    code: str
    field: str
    reason: Text
    state: str


def quarantined_events(rows: Iterable[Quarantined]) -> list[QuarantinedEvent]:
    return [
        QuarantinedEvent(
            row.pk, row.source, row.received_at, row.name, row.payload, row.original, row.code, row.field,
            Text(row.reason_en, row.reason_zh), row.state,
        )
        for row in rows
    ]  # fmt: skip


def quarantined(
    *, state: str = "open", code: str | None = None, field: str | None = None, name: str | None = None,
    before: int | None = None, limit: int = 50,
) -> list[QuarantinedEvent]:  # fmt: skip
    """Newest first, of one group when code, field and name are given; the page before the id `before`."""
    rows = Quarantined.objects.filter(state=state).order_by("-id")
    given = {"code": code, "field": field, "name": name, "id__lt": before}
    rows = rows.filter(**{key: value for key, value in given.items() if value is not None})
    return quarantined_events(rows[:limit])


def quarantined_event(id: int) -> QuarantinedEvent:
    """Raises NotFound."""
    row = Quarantined.objects.filter(id=id).first()
    if row is None:
        raise NotFound("quarantined", Text("There is no such event in quarantine.", "隔离区中没有这个事件。"))
    return quarantined_events([row])[0]


@dataclass(frozen=True, slots=True)
class Follower:
    """A subscriber's state: how many events it is `behind`, and why it waits when it does."""

    name: str
    position: int
    behind: int
    failures: int
    retry_at: datetime | None
    error: str
    parked: int


def followers() -> list[Follower]:
    last = last_position()
    parked = dict(
        ParkedEvent.objects.filter(state__in=("parked", "retry"))
        .values_list("subscriber")
        .annotate(count=Count("id"))
        .order_by()
    )
    return [
        Follower(
            row.name, row.position, max(last - row.position, 0), row.failures, row.retry_at, row.error,
            parked.get(row.name, 0),
        )
        for row in Cursor.objects.order_by("name")
    ]  # fmt: skip


def held() -> list[str]:
    """The subscribers that couldn't take an event again and again and wait to try again."""
    return list(Cursor.objects.filter(failures__gt=1).order_by("name").values_list("name", flat=True))


@dataclass(frozen=True, slots=True)
class Parked:
    id: int
    subscriber: str
    position: int
    name: str
    error: str
    failures: int
    parked_at: datetime
    state: str


def parked(*, subscriber: str = "", before: int | None = None, limit: int = 50) -> list[Parked]:
    """Events that a subscriber couldn't handle and nobody has settled yet, newest first."""
    rows = ParkedEvent.objects.filter(state__in=("parked", "retry")).order_by("-id")
    rows = rows.filter(subscriber=subscriber) if subscriber else rows
    rows = rows.filter(id__lt=before) if before else rows
    return [
        Parked(r.pk, r.subscriber, r.position, r.name, r.error, r.failures, r.parked_at, r.state) for r in rows[:limit]
    ]
