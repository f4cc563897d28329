"""Writing to the log: record what a service did, append what was accepted, and forget what is old.

Quarantine and dispatch have modules of their own.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.db import connection, transaction

from regulars import catalog
from regulars.accounts.actors import Actor
from regulars.accounts.queries import business
from regulars.accounts.services import audit
from regulars.eventlog import queries, wake
from regulars.eventlog.models import Cursor, Event, Numbering, ParkedEvent
from regulars.eventlog.rows import EventRow, NewEvent, cleaned, unpriced, written
from regulars.kernel import clock, ids

__all__ = ["EventRow", "NewEvent", "append", "compose", "forget", "record", "rewrite"]

_COLUMNS = "message_id, name, record_id, at, received_at, properties, context, source, actor, position"


def compose(
    name: str, *, customer_id: int | None = None, properties: dict[str, Any], by: Actor, at: datetime | None = None,
    message_id: str | None = None, source: str = "service",
) -> NewEvent:  # fmt: skip
    """An event of the system's own, checked against the catalogue; for `append` in bulk.

    Raises LookupError for a name that isn't catalogued, Invalid for a payload that doesn't fit.
    """
    catalog.require(name, properties)
    now = clock.now()
    return NewEvent(message_id or ids.new_id(), name, customer_id, at or now, now, properties, {}, source, by.ref)


@transaction.atomic
def record(
    name: str, *, customer_id: int | None = None, properties: dict[str, Any], by: Actor, at: datetime | None = None,
    message_id: str | None = None,
) -> EventRow:  # fmt: skip
    """Append one event of the system's own in the caller's transaction; what a person or a key did is audited too.

    The same message_id again changes nothing and gives the event that is there.
    """
    event = compose(name, customer_id=customer_id, properties=properties, by=by, at=at, message_id=message_id)
    if append([event])[0] and by.kind != "system":
        kind = "customer" if customer_id is not None else ""
        audit(by=by, action=name, object_kind=kind, object_id=customer_id or "", details=properties)
    return queries.by_message_id(event.message_id)


_encoder = msgspec.json.Encoder()


def _plain(value: str) -> str:
    return value if value.isascii() and "\0" not in value else cleaned(value)


def _moment(at: datetime) -> str:
    """As Django keeps a moment in SQLite."""
    if at.tzinfo is UTC:
        return str(at)[:-6]  # without +00:00
    return str(at.astimezone(UTC).replace(tzinfo=None))


def _moments(instants: Iterable[datetime]) -> Iterator[str]:
    """Of many: the events of a request were received together."""
    last, told = None, ""
    for at in instants:
        if at is not last:
            last, told = at, _moment(at)
        yield told


def _stamped(events: Sequence[NewEvent]) -> Sequence[NewEvent]:
    """An amount that comes without a currency is in the business's; which that is now is noted in the context as
    "amounts_in", so that the amount keeps it when the setting changes. Properties stay as they came.
    """
    bare = [place for place, event in enumerate(events) if event.unpriced is not False and _unpriced(event)]
    if not bare:
        return events
    stamp = msgspec.json.encode({"amounts_in": business().currency})
    stamped = list(events)
    for place in bare:
        context = written(events[place].context)
        stamped[place] = msgspec.structs.replace(
            events[place], context=stamp if context == b"{}" else context[:-1] + b"," + stamp[1:]
        )
    return stamped


def _unpriced(event: NewEvent) -> bool:
    if event.unpriced is not None:
        return event.unpriced
    return not isinstance(event.properties, bytes) and unpriced(event.name, event.properties)


@transaction.atomic
def append(events: Sequence[NewEvent]) -> list[bool]:
    """Add events to the log, in order, in the caller's transaction or one of its own.

    For each: True when it is new, False when its message_id was seen before (in the log or earlier in the batch).
    A handful of statements whatever the size of the batch.
    """
    if not events:
        return []
    events = _stamped(events)
    keys = [_plain(event.message_id) for event in events]
    fresh = dict(zip(keys, events, strict=True))
    if len(fresh) < len(keys):  # of two with the same id the first
        fresh = {}
        for key, event in zip(keys, events, strict=True):
            fresh.setdefault(key, event)
    new = _append_sqlite(fresh) if connection.vendor == "sqlite" else _append_postgres(fresh)
    if new:
        transaction.on_commit(wake.up)
    if len(new) == len(keys):
        return [True] * len(keys)
    answers = []
    for key in keys:
        answers.append(key in new)
        new.discard(key)
    return answers


def _append_sqlite(fresh: dict[str, NewEvent]) -> set[str]:
    """The transaction is IMMEDIATE: nobody else writes between the look-up, the numbering and the insert."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT message_id FROM eventlog_event WHERE message_id IN (SELECT value FROM json_each(%s))",
            [_encoder.encode(list(fresh)).decode()],
        )
        seen = {row[0] for row in cursor.fetchall()}
        if seen:
            fresh = {key: event for key, event in fresh.items() if key not in seen}
        if not fresh:
            return set()
        Numbering.objects.get_or_create(id=1)
        cursor.execute(
            "UPDATE eventlog_numbering SET last = last + %s WHERE id = 1 RETURNING last - %s", [len(fresh), len(fresh)]
        )
        base = cursor.fetchone()[0]
        cursor.executemany(
            # Text that is bytes already needn't become characters and bytes again.
            f"INSERT INTO eventlog_event ({_COLUMNS}) VALUES "  # noqa: S608
            "(%s,%s,%s,%s,%s,CAST(%s AS TEXT),CAST(%s AS TEXT),%s,%s,%s)",
            [
                (
                    key, _plain(event.name), event.customer_id,
                    received if event.at is event.received_at else _moment(event.at), received,
                    written(event.properties), written(event.context), event.source,
                    event.actor, position,
                )
                for position, (key, event), received in zip(
                    range(base + 1, base + 1 + len(fresh)), fresh.items(),
                    _moments(event.received_at for event in fresh.values()), strict=True,
                )
            ],
        )  # fmt: skip
    return set(fresh)


def _append_postgres(fresh: dict[str, NewEvent]) -> set[str]:
    """One statement; a column is one array. The position comes later, from the one who numbers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO eventlog_event (message_id, name, record_id, at, received_at, properties, context, source, "
            "actor) SELECT m, n, r, a, b, p::jsonb, c::jsonb, s, w FROM unnest(%s::text[], %s::text[], %s::bigint[], "
            "%s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[]) "
            "WITH ORDINALITY AS t(m, n, r, a, b, p, c, s, w, o) ORDER BY o "
            "ON CONFLICT (message_id) DO NOTHING RETURNING message_id",
            [
                list(fresh),
                [_plain(event.name) for event in fresh.values()],
                [event.customer_id for event in fresh.values()],
                [event.at for event in fresh.values()],
                [event.received_at for event in fresh.values()],
                [written(event.properties).decode() for event in fresh.values()],
                [written(event.context).decode() for event in fresh.values()],
                [event.source for event in fresh.values()],
                [event.actor for event in fresh.values()],
            ],
        )
        return {row[0] for row in cursor.fetchall()}


@transaction.atomic
def rewrite(*, record_ids: Collection[int], properties: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """Take out of past events of these records what must not be kept of an erased person: `properties` gives what stays
    of an event's properties; the context goes but for the currency of amounts. The only change an event ever sees; how
    many changed.
    """
    changed = 0
    events = Event.objects.filter(record_id__in=record_ids).order_by("id")
    last = 0
    while rows := list(events.filter(id__gt=last).only("id", "properties", "context")[:1000]):
        last = rows[-1].pk
        altered = []
        for row in rows:
            kept = properties(row.properties)
            bare = {name: value for name, value in row.context.items() if name == "amounts_in"}
            if kept != row.properties or row.context != bare:
                row.properties, row.context = kept, bare
                altered.append(row)
        Event.objects.bulk_update(altered, ["properties", "context"], batch_size=200)
        changed += len(altered)
    return changed


def forget(*, keep: timedelta, limit: int = 5000) -> int:
    """Delete events received longer than `keep` ago that every cursor has passed and nobody has parked, `limit` at
    most; how many. The warehouse keeps all. Call it until it gives 0.

    Only the oldest are looked at: the log is in the order of reception but for moments.
    """
    passed = Cursor.objects.order_by("position").values_list("position", flat=True).first()
    if passed is None:
        return 0
    held = ParkedEvent.objects.filter(state__in=("parked", "retry")).values("position")
    oldest = Event.objects.order_by("id").values_list("id", flat=True)[:limit]
    with transaction.atomic():
        count, _ = (
            Event.objects.filter(id__in=list(oldest), received_at__lt=clock.now() - keep, position__lte=passed)
            .exclude(position__in=held)
            .delete()
        )
    return count
