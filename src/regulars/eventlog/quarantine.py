"""Events that couldn't be taken in: put aside with the reason, repaired, sent in again, discarded and fetched back.

Sending in again goes through `intake`, which lies above the log and is therefore handed in (wiring.receiving has it):
for each payload None when it was taken, or what is still wrong.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.catalog import Fault
from regulars.eventlog import queries
from regulars.eventlog.models import Quarantined
from regulars.eventlog.queries import QuarantinedEvent
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Invalid
from regulars.kernel.languages import Text

Intake = Callable[[Sequence[QuarantinedEvent]], Sequence[Fault | None]]
BATCH = 1000


@dataclass(frozen=True, slots=True)
class BadEvent:
    """`payload` as it came: the event as JSON data, or the text that isn't JSON."""

    payload: Any
    fault: Fault
    source: str
    received_at: datetime


def _name(payload: Any) -> str:
    """What the event calls itself, for grouping."""
    said = (payload.get("event") or payload.get("type") or "") if isinstance(payload, dict) else ""
    return said[:200] if isinstance(said, str) else ""


def _storable(payload: Any) -> Any:
    """What a database can keep as JSON: no NUL, no halves of surrogate pairs, no numbers beyond 64 bits or finite."""
    if isinstance(payload, str):
        return payload.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(payload, dict):
        return {_storable(str(key)): _storable(value) for key, value in payload.items()}
    if isinstance(payload, list):
        return [_storable(value) for value in payload]
    if isinstance(payload, float) and (payload != payload or payload in (float("inf"), float("-inf"))):
        return str(payload)
    if isinstance(payload, int) and not -(2**63) <= payload < 2**63:
        return str(payload)
    return payload


def _digest(payload: Any) -> str:
    """The same event sent again gives the same; clients put a fresh `sentAt` into some."""
    if isinstance(payload, dict):
        payload = {key: value for key, value in payload.items() if key != "sentAt"}
    return sha256(msgspec.json.encode(payload, order="deterministic")).hexdigest()


@transaction.atomic
def put(events: Sequence[BadEvent]) -> None:
    """Set events aside, in the caller's transaction. One that lies here already (a retry) isn't put twice."""
    rows = []
    for event in events:
        payload = _storable(event.payload)
        rows.append(
            Quarantined(
                digest=_digest(payload), source=event.source, received_at=event.received_at, name=_name(payload),
                payload=payload, code=event.fault.code, field=event.fault.field[:200],
                reason_en=event.fault.text.en, reason_zh=event.fault.text.zh,
            )
        )  # fmt: skip
    Quarantined.objects.bulk_create(rows, ignore_conflicts=True, batch_size=BATCH)


def _open(ids: Collection[int]) -> list[Quarantined]:
    return list(Quarantined.objects.select_for_update().filter(id__in=list(ids), state="open").order_by("id"))


def _send_in(rows: list[Quarantined], intake: Intake) -> int:
    faults = intake(queries.quarantined_events(rows))
    now = clock.now()
    for row, fault in zip(rows, faults, strict=True):
        row.changed_at = now
        if fault is None:
            row.state = "replayed"
        else:
            row.code, row.field = fault.code, fault.field[:200]
            row.reason_en, row.reason_zh = fault.text.en, fault.text.zh
    Quarantined.objects.bulk_update(
        rows, ["state", "code", "field", "reason_en", "reason_zh", "changed_at"], batch_size=BATCH
    )
    return sum(fault is None for fault in faults)


@transaction.atomic
def replay(*, ids: Collection[int], intake: Intake, by: Actor) -> int:
    """Send open events in again, at most BATCH at once; how many were taken. The others stay, with what is wrong now.

    Nothing happens twice: what was taken is no longer open, and the log knows its message_id.
    """
    by.require("quarantine.repair")
    rows = _open(list(ids)[:BATCH])
    taken = _send_in(rows, intake) if rows else 0
    audit(by=by, action="Quarantine Replayed", details={"sent": len(rows), "taken": taken})
    return taken


@transaction.atomic
def repair(*, id: int, payload: Any, intake: Intake, by: Actor) -> bool:
    """Put another payload in place (what came is kept as `original`) and send it in; True when it was taken."""
    by.require("quarantine.repair")
    if not isinstance(payload, dict):
        raise Invalid(
            "payload",
            Text("The event has to be a JSON object, { … }.", "事件必须是 JSON 对象，即 { … }。"),
            field="payload",
        )
    queries.quarantined_event(id)
    rows = _open([id])
    if not rows:
        raise Conflict(
            "not_open",
            Text("This event was replayed or discarded meanwhile.", "该事件已被重放或丢弃。"),
        )
    row = rows[0]
    row.original = row.payload if row.original is None else row.original
    row.payload, row.name = _storable(payload), _name(payload)
    row.save(update_fields=["original", "payload", "name"])
    taken = _send_in(rows, intake) == 1
    audit(by=by, action="Quarantine Repaired", object_kind="quarantined", object_id=id, details={"taken": taken})
    return taken


@transaction.atomic
def discard(*, ids: Collection[int], by: Actor) -> int:
    """Set open events aside for good (until `restore`); how many."""
    by.require("quarantine.repair")
    rows = Quarantined.objects.filter(id__in=list(ids), state="open")
    count = rows.update(state="discarded", changed_at=clock.now())
    audit(by=by, action="Quarantine Discarded", details={"ids": sorted(ids)[:100], "count": count})
    return count


def forget(*, keep: timedelta) -> int:
    """Delete what was replayed or discarded longer than `keep` ago (it holds personal data); how many. What is open
    stays until somebody settles it.
    """
    return Quarantined.objects.exclude(state="open").filter(changed_at__lt=clock.now() - keep).delete()[0]


@transaction.atomic
def restore(*, ids: Collection[int], by: Actor) -> int:
    """Undo of discard; how many are open again."""
    by.require("quarantine.repair")
    rows = Quarantined.objects.filter(id__in=list(ids), state="discarded")
    count = rows.update(state="open", changed_at=clock.now())
    audit(by=by, action="Quarantine Restored", details={"ids": sorted(ids)[:100], "count": count})
    return count


@transaction.atomic
def erase(*, of_person: Callable[[Any], bool]) -> int:
    """Delete every event, open or settled, whose payload is of somebody who is erased; how many. Reads them all."""
    found = [
        id
        for id, payload, original in Quarantined.objects.values_list("id", "payload", "original").iterator(BATCH)
        if of_person(payload) or (original is not None and of_person(original))
    ]
    for start in range(0, len(found), BATCH):
        Quarantined.objects.filter(id__in=found[start : start + BATCH]).delete()
    return len(found)
