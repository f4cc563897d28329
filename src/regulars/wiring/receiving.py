"""Intake: from the inbox into the log. Parses, resolves identities, appends, puts aside what is bad, notes its place.

One transaction for a batch, so that kill -9 anywhere neither loses an accepted event nor stores it twice. What an event
says is the envelope's business, who a customer is customers', what a good payload is the catalogue's.
"""

import fcntl
import gc
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from regulars.catalog import Fault
from regulars.customers import services as customers
from regulars.eventlog import intake, quarantine
from regulars.eventlog import services as eventlog
from regulars.eventlog.ingest import door, envelope, inbox
from regulars.eventlog.ingest.envelope import Draft
from regulars.eventlog.ingest.inbox import Inbox
from regulars.eventlog.ingest.keys import WriteKeys
from regulars.eventlog.quarantine import BadEvent
from regulars.eventlog.queries import QuarantinedEvent
from regulars.eventlog.rows import NewEvent, written
from regulars.eventlog.wake import Bell
from regulars.kernel import clock
from regulars.kernel.errors import Problem
from regulars.kernel.languages import Text

# Of the inbox in one transaction: the more, the cheaper an event is; but on SQLite nobody else writes meanwhile.
MOST_BYTES, FEWEST_BYTES = 8 * 2**20, 2 * 2**20
HELD_SECONDS = 0.25  # how long a transaction of a backlog should take
IDLE_SECONDS = 0.5
_HOUR = timedelta(hours=1)
COLLECT_SECONDS = 0.05  # after the first request arrives, so that those behind it come along

_log = logging.getLogger(__name__)
_at_once = FEWEST_BYTES  # bytes: as many as lately took HELD_SECONDS
_discarded: set[str] = set()  # segments whose places aren't forgotten yet

_UNPROCESSABLE = Text(
    "The event couldn't be stored ({why}). Simplify or correct the values, then send it in again.",
    "无法保存该事件（{why}）。请简化或更正其中的值，然后重新提交。",
)


def folder() -> Path:
    """Where the inbox of this data folder lies."""
    return Path(settings.HOME) / "inbox"


def open_inbox(ring: Callable[[], None] = lambda: None) -> Inbox:
    """For writing; one writer at a time (of the processes that share the folder's lock, the one that tracks)."""
    return Inbox(folder(), ring=ring)


def door_to(box: Inbox) -> door.Door:
    """The tracking API over the inbox, with the write keys of the database."""
    return door.Door(
        box, WriteKeys(), events_per_second=settings.TRACK_RATE, url=settings.PUBLIC_URL, hosts=settings.ALLOWED_HOSTS
    )


def step(news: Bell) -> bool:
    """One turn of the intake's loop: take in what waits, or wait a little for something to come; True when it took."""
    if drain():
        return True
    news.wait(IDLE_SECONDS)
    return False


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Alone among all threads and processes of this data folder."""
    Path(settings.HOME).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(Path(settings.HOME) / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def paused() -> Iterator[None]:
    """Nothing is taken in and no segment of the inbox goes, within the block; accepting goes on."""
    with _locked("intake.gate"), _locked("intake.lock"):  # the gate: who waits comes before the next batch
        yield


def drain(*, bytes_at_once: int | None = None) -> int:
    """Take in what waits, about so many bytes of it in one transaction (None: what takes about HELD_SECONDS); how many
    requests that were. 0: all is in.
    """
    with ExitStack() as stack:
        with _locked("intake.gate"):
            stack.enter_context(_locked("intake.lock"))
        stack.enter_context(_uncollected())
        return _drain(folder(), bytes_at_once or _at_once)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for cycles of garbage: a batch makes hundreds of thousands of objects and no cycles, and each
    look would go through all of them. Reference counting goes on; between batches the collector does its work.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _drain(box: Path, bytes_at_once: int) -> int:
    known = intake.places()
    budget = bytes_at_once
    places: dict[str, int] = {}
    finished: list[str] = []
    damaged: list[str] = []
    drafts: list[Draft] = []
    bad: list[BadEvent] = []
    requests = 0
    waiting = inbox.segments(box)
    written = inbox.written(box)
    for segment in waiting:
        if budget <= 0:
            break
        offset = known.get(segment, 0)
        found = inbox.read(box, segment, offset, limit=budget, end=written.end_of(segment))
        for placed in found.records:
            good, faulty = envelope.parse(placed)
            drafts += good
            bad += [BadEvent(one.payload, one.fault, one.source, one.received_at) for one in faulty]
        requests += len(found.records)
        budget -= found.offset - offset
        if found.offset != offset:
            places[segment] = found.offset
        if found.state == "damaged":
            damaged.append(segment)
        elif found.state in ("end", "torn") and segment != written.open:
            finished.append(segment)
    for segment in damaged:
        inbox.keep_aside(box, segment)
    gone = known.keys() - set(waiting)
    if connection.vendor != "sqlite":
        gone &= _discarded  # the others may be of another web's inbox
    if places or gone:
        with transaction.atomic():
            begun = time.monotonic()
            if drafts:
                faults = _take(drafts)
                bad += [
                    BadEvent(envelope.sent(draft), fault, draft.source, draft.received_at)
                    for draft, fault in zip(drafts, faults, strict=True)
                    if fault is not None
                ]
            if bad:
                quarantine.put(bad)
            intake.note(places, gone=gone)
        if budget <= 0:
            _pace(bytes_at_once, time.monotonic() - begun)
    for segment in finished:
        inbox.discard(box, segment)
    _discarded.difference_update(gone)
    _discarded.update(finished)
    return requests


def _pace(size: int, took: float) -> None:
    """After a transaction of so many bytes in a backlog: how many come next."""
    global _at_once
    wanted = size * HELD_SECONDS / max(took, 0.001)
    _at_once = int(min(max(wanted, size / 4, FEWEST_BYTES), size * 2, MOST_BYTES))


def accept(payloads: Sequence[dict[str, Any]], *, source: str) -> list[Fault | None]:
    """Intake at once for a door that can tell the sender what is wrong (the JSON API): for each None when it was taken,
    or the fault. Nothing goes into quarantine.
    """
    now = clock.now()
    judged = [envelope.judge(one, received_at=now, source=source) for one in payloads]
    taken = iter(_take([one for one in judged if isinstance(one, Draft)]))
    return [next(taken) if isinstance(one, Draft) else one for one in judged]


def send_in_again(events: Sequence[QuarantinedEvent]) -> list[Fault | None]:
    """Intake for quarantine.replay and repair: for each None when it was taken, or what is still wrong."""
    judged = [envelope.judge(one.payload, received_at=one.received_at, source=one.source) for one in events]
    taken = iter(_take([one for one in judged if isinstance(one, Draft)]))
    return [next(taken) if isinstance(one, Draft) else one for one in judged]


def _take(drafts: Sequence[Draft]) -> list[Fault | None]:
    """Into the log, all at once; when that fails, by halves, until what can't be stored stands alone."""
    if not drafts:
        return []
    try:
        with transaction.atomic():
            _append(drafts)
    except (OperationalError, InterfaceError):
        raise  # the database is away, busy or full: no event's fault
    except Exception as error:
        if len(drafts) > 1:
            middle = len(drafts) // 2
            return _take(drafts[:middle]) + _take(drafts[middle:])
        if isinstance(error, Problem):
            return [Fault(error.code, error.field or "", error.text)]
        _log.warning("An event can't be stored: %s: %s", type(error).__name__, error)
        return [Fault("unprocessable", "", _UNPROCESSABLE.filled(why=f"{type(error).__name__}: {str(error)[:200]}"))]
    return [None] * len(drafts)


def _append(drafts: Sequence[Draft]) -> None:
    claims: list[customers.Claim] = []
    of_draft: list[int] = []
    # Many events of one visit make one claim, with the time of the first that came, as if each came alone: identities →
    # its place, and the hour that it is of.
    same: dict[tuple[tuple[str, str], ...], tuple[int, datetime, datetime]] = {}
    erased_until = customers.erased_until()
    for draft in drafts:
        at = draft.at
        # An erasure may lie between events of one hour. What a client remembers it sends with every event.
        if (draft.remembered or not draft.traits) and (erased_until is None or at >= erased_until):
            found = same.get(draft.identities)
            if found is not None and found[1] <= at < found[2] and draft.traits in ({}, claims[found[0]].traits):
                of_draft.append(found[0])
                continue
            hour = at.replace(minute=0, second=0, microsecond=0)
            same[draft.identities] = len(claims), hour, hour + _HOUR
        of_draft.append(len(claims))
        claims.append(customers.Claim(draft.identities, draft.traits, at, draft.remembered))
    late: set[int] = set()
    records = customers.resolve(claims, late=late)
    for draft, place in zip(drafts, of_draft, strict=True):
        draft.customer_id = records[place]
    events: Sequence[NewEvent] = drafts
    if late:
        events = [
            draft if place not in late else _of_nobody(draft, claims[place])
            for draft, place in zip(drafts, of_draft, strict=True)
        ]
    eventlog.append(events)


def _of_nobody(draft: Draft, claim: customers.Claim) -> NewEvent:
    """The event without anything that names the erased person it is of."""
    told = msgspec.json.decode(written(draft.properties))
    return NewEvent(
        draft.message_id, draft.name, draft.customer_id, draft.at, draft.received_at,
        customers.anonymous(told, claim), {}, draft.source,
    )  # fmt: skip
