"""Hands committed events on: numbers them densely, and carries each subscriber along by a cursor of its own.

A handler runs in the transaction that moves its cursor, so that what it writes to the database happens exactly once;
what it does elsewhere has to be idempotent by event id. A handler that fails stops its own cursor only: its work is
undone, it is called again after a while with the first event alone, then, if that one fails ATTEMPTS times, the event
is parked and those after it go on.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.eventlog import queries, wake
from regulars.eventlog.models import Cursor, Numbering, ParkedEvent
from regulars.eventlog.rows import EventRow, LogRow
from regulars.kernel import clock
from regulars.kernel.errors import NotFound
from regulars.kernel.languages import Text

log = logging.getLogger(__name__)

ATTEMPTS = 6  # with the pauses of _pause about a minute until an event is parked
BATCH = 2000
BACKLOG = 20_000
"""What a subscriber with a place of its own gets at once when so much waits: no transaction is held for it, and a batch
costs it some 40 ms of processor time whatever its size.
"""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """`handle` gets events in the order of their positions, as `read` gives them; `names` narrows to those it wants
    (None: all).

    `own_place`: it keeps its place in a store of its own and drops what it has seen (the warehouse). It is called
    outside a transaction, so as not to hold up writers, and no event is parked past it: it waits until it works again.
    """

    name: str
    handle: Callable[[list[Any]], None]
    names: frozenset[str] | None = None
    own_place: bool = False
    read: Callable[..., Sequence[EventRow | LogRow]] = queries.after


def number(limit: int = 20_000) -> int:
    """Give committed events without a position the next ones, in the order of their ids; how many.

    Only one process does it at a time: the one that gets the lock of the single numbering row; others get 0. On
    SQLite the position is given at once by `append`, inside the only write transaction there is.
    """
    if connection.vendor == "sqlite":
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO eventlog_numbering (id, last) VALUES (1, 0) ON CONFLICT DO NOTHING")
        holder = Numbering.objects.select_for_update(skip_locked=True).filter(id=1).first()
        if holder is None:
            return 0
        cursor.execute(
            "UPDATE eventlog_event e SET position = %s + n.place FROM (SELECT id, row_number() OVER (ORDER BY id) AS "
            "place FROM (SELECT id FROM eventlog_event WHERE position IS NULL ORDER BY id LIMIT %s) f) n "
            "WHERE e.id = n.id",
            [holder.last, limit],
        )
        count: int = cursor.rowcount
        if count:
            Numbering.objects.filter(id=1).update(last=holder.last + count)
    return count


def _pause(failures: int) -> timedelta:
    """1, 2, 4 … seconds, a minute at most."""
    return timedelta(seconds=min(2 ** (failures - 1), 60))


def advance(subscriber: Subscriber, *, batch: int | None = None) -> bool:
    """Carry one subscriber on by at most `batch` events (BATCH, or BACKLOG); True when there is more to do at once.

    Never raises for a fault of the handler: that is logged, kept with the cursor, and tried again later.
    """
    cursor = Cursor.objects.filter(name=subscriber.name).first()
    if cursor is None:
        Cursor.objects.get_or_create(name=subscriber.name)
        return True
    if cursor.retry_at and timedelta() < cursor.retry_at - clock.now() <= _pause(7):  # later: by a clock that ran ahead
        return False
    last = queries.last_position()
    if cursor.position >= last:
        return False
    batch = batch or (BACKLOG if subscriber.own_place else BATCH)
    upto = min(cursor.position + (1 if cursor.failures else batch), last)
    try:
        with nullcontext() if subscriber.own_place else transaction.atomic():
            if not subscriber.own_place and not _held(subscriber.name, cursor.position):
                return False
            events = subscriber.read(cursor.position, upto - cursor.position, names=subscriber.names)
            if events:
                subscriber.handle(list(events))
            Cursor.objects.filter(name=subscriber.name, position=cursor.position).update(
                position=upto, failures=0, retry_at=None, error="", moved_at=clock.now()
            )
    except Exception as error:
        log.exception("%s failed on the events after position %s", subscriber.name, cursor.position)
        return _parked(subscriber, cursor, upto, error)
    return upto < last


def _held(name: str, position: int) -> bool:
    """Lock the cursor; False when another process has it or has moved it meanwhile."""
    rows = Cursor.objects.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
    return rows.filter(name=name, position=position).first() is not None


def _parked(subscriber: Subscriber, cursor: Cursor, upto: int, error: Exception) -> bool:
    """When it was one event and it had its attempts, park it and go on (True); otherwise wait (False)."""
    said = f"{type(error).__name__}: {error}"[:2000]
    failures = cursor.failures + 1
    with transaction.atomic():
        rows = Cursor.objects.filter(name=subscriber.name, position=cursor.position)
        if upto == cursor.position + 1 and failures >= ATTEMPTS and not subscriber.own_place:
            event = queries.at_positions([upto])
            ParkedEvent.objects.update_or_create(
                subscriber=subscriber.name,
                position=upto,
                defaults={
                    "name": event[0].name if event else "", "error": said, "failures": failures,
                    "parked_at": clock.now(), "state": "parked",
                },
            )  # fmt: skip
            rows.update(position=upto, failures=0, retry_at=None, error="", moved_at=clock.now())
            return True
        rows.update(failures=failures, retry_at=clock.now() + _pause(failures), error=said)
    return False


def unpark(subscriber: Subscriber) -> int:
    """Give the subscriber the parked events that somebody asked to try again, one by one; how many it took."""
    waiting = ParkedEvent.objects.filter(subscriber=subscriber.name, state="retry").order_by("position")
    wanted = {row.position: row for row in waiting[:BATCH]}
    taken = 0
    for event in queries.at_positions(list(wanted)) if wanted else []:
        assert event.position is not None
        row = wanted[event.position]
        try:
            with transaction.atomic():
                if not ParkedEvent.objects.filter(id=row.pk, state="retry").update(state="done"):
                    continue
                subscriber.handle([event])
            taken += 1
        except Exception as error:
            log.exception("%s failed again on the parked event at position %s", subscriber.name, event.position)
            ParkedEvent.objects.filter(id=row.pk).update(
                state="parked", error=f"{type(error).__name__}: {error}"[:2000], failures=row.failures + 1
            )
    return taken


def settle(subscribers: Sequence[Subscriber]) -> None:
    """Number everything and carry each subscriber to the end of the log, or to where it fails, in this thread: for
    commands that work without the loops.
    """
    while number():
        pass
    for subscriber in subscribers:
        while advance(subscriber):
            pass
        unpark(subscriber)


def follow(subscribers: Sequence[Subscriber], *, from_now: Collection[str] = ()) -> None:
    """Make sure each subscriber has a cursor; those named in `from_now` begin at the end of the log, the others at
    its beginning. A cursor that is there stays where it is.
    """
    last = queries.last_position()
    for subscriber in subscribers:
        Cursor.objects.get_or_create(
            name=subscriber.name, defaults={"position": last if subscriber.name in from_now else 0}
        )


def put_back(subscriber: str, position: int) -> bool:
    """Have a subscriber with a place of its own that isn't as far as its cursor says begin there again; whether it
    wasn't.
    """
    moved = Cursor.objects.filter(name=subscriber, position__gt=position).update(
        position=position, failures=0, retry_at=None, error="", moved_at=clock.now()
    )
    return moved > 0


@transaction.atomic
def replay(*, subscriber: str, position: int, by: Actor) -> None:
    """Put a subscriber's cursor back (or on) so that the next event it gets is the one after `position`."""
    by.require("quarantine.repair")
    place = min(max(position, 0), queries.last_position())
    rows = Cursor.objects.filter(name=subscriber)
    if not rows.update(position=place, failures=0, retry_at=None, error="", moved_at=clock.now()):
        raise NotFound("subscriber", Text("There is no such subscriber.", "没有这个订阅者。"), field="subscriber")
    audit(by=by, action="Events Replayed", object_kind="subscriber", object_id=subscriber, details={"after": place})
    transaction.on_commit(wake.up)


@transaction.atomic
def retry_parked(*, ids: Collection[int], by: Actor) -> int:
    """Ask for parked events to be tried again; how many."""
    by.require("quarantine.repair")
    count = ParkedEvent.objects.filter(id__in=list(ids), state="parked").update(state="retry")
    audit(by=by, action="Parked Events Retried", details={"ids": sorted(ids)[:100], "count": count})
    transaction.on_commit(wake.up)
    return count


@transaction.atomic
def discard_parked(*, ids: Collection[int], by: Actor) -> int:
    """Give parked events up; how many."""
    by.require("quarantine.repair")
    count = ParkedEvent.objects.filter(id__in=list(ids), state="parked").update(state="discarded")
    audit(by=by, action="Parked Events Discarded", details={"ids": sorted(ids)[:100], "count": count})
    return count
