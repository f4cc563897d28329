"""Reading endpoints and the log of what was sent."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef

from regulars.kernel.errors import NotFound
from regulars.kernel.languages import Text
from regulars.webhooks.models import Attempt, Delivery, Endpoint


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """`waiting` and `failed` count deliveries; `secret` is for those who may edit webhooks."""

    id: int
    url: str
    name: str
    events: tuple[str, ...]
    secret: str
    active: bool
    paused_reason: str
    created_at: datetime
    waiting: int
    failed: int
    removed_at: datetime | None


def _rows(found: Iterable[Endpoint]) -> list[EndpointRow]:
    rows = list(found)
    states: dict[tuple[int, str], int] = {}
    counted = Delivery.objects.filter(endpoint__in=rows, state__in=("waiting", "sending", "failed"))
    for endpoint, state in counted.values_list("endpoint_id", "state")[:100_000]:
        state = "failed" if state == "failed" else "waiting"
        states[endpoint, state] = states.get((endpoint, state), 0) + 1
    return [
        EndpointRow(
            row.pk, row.url, row.name, tuple(row.events), row.secret, row.active, row.paused_reason, row.created_at,
            states.get((row.pk, "waiting"), 0), states.get((row.pk, "failed"), 0), row.removed_at,
        )
        for row in rows
    ]  # fmt: skip


def endpoints(*, removed: bool = False, before: int | None = None, limit: int = 1000) -> list[EndpointRow]:
    """Those in use, or those removed whose log is still there; the youngest first, before the id `before`."""
    rows = Endpoint.objects.filter(removed_at__isnull=not removed).order_by("-id")
    if removed:
        rows = rows.filter(Exists(Delivery.objects.filter(endpoint=OuterRef("pk"))))
    return _rows((rows.filter(id__lt=before) if before else rows)[:limit])


def endpoint(id: int) -> EndpointRow:
    """A removed one too: its log can be read as long as it is kept. Raises NotFound."""
    found = _rows(Endpoint.objects.filter(id=id))
    if not found:
        raise NotFound("webhook", Text("There is no such webhook.", "没有这个 Webhook。"))
    return found[0]


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    id: int
    key: str
    endpoint: int
    event: str
    message_id: str
    state: str
    attempts: int
    due_at: datetime
    created_at: datetime
    delivered_at: datetime | None


def deliveries(
    *, endpoint: int | None = None, state: str = "", before: int | None = None, limit: int = 50
) -> list[DeliveryRow]:
    """The log, the latest first, before the id `before`."""
    rows = Delivery.objects.order_by("-id")
    rows = rows.filter(endpoint=endpoint) if endpoint is not None else rows
    rows = rows.filter(state=state) if state else rows
    rows = rows.filter(id__lt=before) if before else rows
    return [
        DeliveryRow(
            row.pk, row.key, row.endpoint_id, row.event, row.message_id, row.state, row.attempts, row.due_at,
            row.created_at, row.delivered_at,
        )
        for row in rows[:limit]
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """`error` says why there was no answer."""

    at: datetime
    status: int | None
    milliseconds: int
    error: Text | None
    excerpt: str


@dataclass(frozen=True, slots=True)
class DeliveryDetail:
    delivery: DeliveryRow
    body: Any
    attempts: list[AttemptRow]


def delivery(id: int) -> DeliveryDetail:
    """With what was sent and how each attempt went, the latest first. Raises NotFound."""
    found = deliveries(before=id + 1, limit=1)
    if not found or found[0].id != id:
        raise NotFound("delivery", Text("There is no such delivery.", "没有这次投递。"))
    rows = Attempt.objects.filter(delivery=id).order_by("-id")
    text = Delivery.objects.values_list("body", flat=True).get(id=id)
    attempts = [
        AttemptRow(row.at, row.status, row.milliseconds, Text(**row.error) if row.error else None, row.excerpt)
        for row in rows
    ]
    return DeliveryDetail(found[0], text, attempts)
