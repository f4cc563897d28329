"""From the log into the line: each event becomes one delivery for every endpoint that wants it."""

import msgspec

from regulars.customers.queries import members
from regulars.eventlog.rows import EventRow
from regulars.kernel import clock, ids
from regulars.webhooks.models import Attempt, Delivery, Endpoint


def body(event: EventRow) -> str:
    """What is sent: Standard Webhooks' type, timestamp and data. `customer` is a number as the JSON API takes it."""
    data = {
        "message_id": event.message_id,
        "customer": event.record_id,
        "received_at": event.received_at.isoformat(),
        "properties": event.properties,
    }
    return msgspec.json.encode({"type": event.name, "timestamp": event.at.isoformat(), "data": data}).decode()


def handle(batch: list[EventRow]) -> None:
    """Put what is wanted in line; an endpoint has one delivery per event, however often it comes. What was in line
    or in the log of an erased person goes.
    """
    for event in batch:
        if event.name == "Customer Erased" and event.record_id is not None:
            _forget(members(event.record_id))
    endpoints = list(Endpoint.objects.filter(active=True, removed_at=None))
    if not endpoints:
        return
    now = clock.now()
    lines = []
    for event in batch:
        wanted = [one for one in endpoints if not one.events or event.name in one.events]
        if wanted:
            text = body(event)
            lines += [
                Delivery(
                    key=ids.new_id(), endpoint=one, message_id=event.message_id, event=event.name, body=text,
                    record_id=event.record_id, due_at=now, created_at=now,
                )
                for one in wanted
            ]  # fmt: skip
    Delivery.objects.bulk_create(lines, ignore_conflicts=True, batch_size=500)


def _forget(records: list[int]) -> None:
    theirs = Delivery.objects.filter(record_id__in=records)
    theirs.filter(state__in=("waiting", "sending")).update(state="cancelled")
    theirs.update(body="{}")
    Attempt.objects.filter(delivery__record_id__in=records).update(excerpt="")
