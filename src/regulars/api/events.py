"""Events: in through the same intake as tracking, out as they stand in the log."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from regulars.api.shapes import (
    ERRORS,
    Cursor,
    CustomerId,
    IdentityIn,
    Limit,
    Page,
    Taken,
    actor,
    cursor_of,
    needs,
    values_of,
)
from regulars.api.wording import said
from regulars.customers import queries as customers
from regulars.eventlog import queries
from regulars.eventlog.rows import EventRow
from regulars.kernel import clock, ids
from regulars.wiring import receiving

router = Router(tags=["events"])
Name = Annotated[str | None, Query(max_length=200, description=said("Only events of this name.", "仅此名称的事件。"))]


class EventIn(Taken):
    event: str = Field(
        min_length=1, max_length=200, description=said("Its name: Order Completed.", "事件名，如 Order Completed。"),
        examples=["Product Viewed"],
    )  # fmt: skip
    identities: list[IdentityIn] = Field(min_length=1, max_length=20, description=said("Who it was.", "客户标识。"))
    properties: dict[str, Any] = Field(default_factory=dict, description=said("What is known of it.", "事件属性。"))
    context: dict[str, Any] = Field(default_factory=dict, description=said("Where it came from.", "上下文。"))
    at: datetime | None = Field(None, description=said("When; now if left out.", "发生时间；缺省为现在。"))
    message_id: str | None = Field(
        None, min_length=1, max_length=100,
        description=said("Your own id of it; the same id again is dropped.", "事件唯一 ID；重复发送将被忽略。"),
    )  # fmt: skip


class EventsIn(Taken):
    events: list[EventIn] = Field(min_length=1, max_length=500, description=said("Up to 500.", "最多 500 个。"))


class Refused(Schema):
    index: int = Field(description=said("Its place in the list, from 0.", "在列表中的位置，从 0 开始。"))
    code: str = Field(description=said("For programs.", "供程序使用。"))
    field: str = Field(description=said("Which field.", "相关字段。"))
    message: str = Field(description=said("What is wrong.", "问题说明。"))


class Received(Schema):
    accepted: int = Field(description=said("How many were taken.", "接收数量。"))
    refused: list[Refused] = Field(description=said("Those that weren't, and why.", "未接收的事件与原因。"))


class EventOut(Schema):
    message_id: str = Field(description=said("Its id.", "事件 ID。"))
    event: str = Field(description=said("Its name.", "事件名。"))
    customer: int | None = Field(description=said("Whose it is.", "所属客户编号。"))
    at: datetime = Field(description=said("When it happened.", "发生时间。"))
    received_at: datetime = Field(description=said("When it came in.", "接收时间。"))
    properties: dict[str, Any] = Field(description=said("What is known of it.", "事件属性。"))
    source: str = Field(description=said("Where it came from.", "来源。"))


def take_in(request: HttpRequest, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Through intake, as track calls; what is refused isn't put in quarantine: the caller is told."""
    by = request.actor  # type: ignore[attr-defined]
    faults = receiving.accept(events, source=f"api:{by.id}")
    refused = [
        {"index": index, "code": fault.code, "field": fault.field, "message": str(fault.text)}
        for index, fault in enumerate(faults)
        if fault is not None
    ]
    return {"accepted": len(faults) - len(refused), "refused": refused}


def call(
    name: str, identities: list[IdentityIn], properties: dict[str, Any], context: dict[str, Any], at: datetime | None,
    message_id: str | None,
) -> dict[str, Any]:  # fmt: skip
    """A track call of the Segment spec."""
    found: dict[str, Any] = {}
    outside = []
    for one in identities:
        if one.kind == "user_id":
            found.setdefault("userId", one.value)
        elif one.kind == "anonymous_id":
            found.setdefault("anonymousId", one.value)
        elif one.kind == "device":
            context = {**context, "device": {"id": one.value}}
        else:
            outside.append({"type": one.kind, "id": one.value})
    context = {key: value for key, value in context.items() if key not in ("traits", "externalId")}
    return {
        "type": "track", "event": name, **found, "properties": properties,
        "context": {**context, "externalId": outside}, "messageId": message_id or ids.new_id(),
        "timestamp": (at or clock.now()).isoformat(),
    }  # fmt: skip


@router.post(
    "/events",
    response={200: Received, **ERRORS},
    **needs(
        "events.write",
        said("Send events", "发送事件"),
        said(
            "Each is judged by itself: good ones are taken, others come back with the reason.",
            "逐个判定：有效事件入库，其余返回原因。",
        ),
    ),
)
def send(request: HttpRequest, data: EventsIn) -> Any:
    actor(request, "events.write")
    calls = [call(e.event, e.identities, e.properties, e.context, e.at, e.message_id) for e in data.events]
    return take_in(request, calls)


def _shape(rows: list[EventRow]) -> list[dict[str, Any]]:
    root = customers.roots_of(row.record_id for row in rows if row.record_id is not None)
    return [
        {
            "message_id": row.message_id, "event": row.name, "customer": root.get(row.record_id or 0), "at": row.at,
            "received_at": row.received_at, "properties": row.properties, "source": row.source,
        }
        for row in rows
    ]  # fmt: skip


@router.get(
    "/events",
    response={200: Page[EventOut], **ERRORS},
    **needs("events.view", said("The latest events", "最新事件"), said("Last taken in first.", "最后收到的在前。")),
)
def list_events(request: HttpRequest, event: Name = None, cursor: Cursor = None, limit: Limit = 50) -> Any:
    actor(request, "events.view")
    before = values_of(cursor, int)[0] if cursor else None
    rows = queries.recent(name=event or "", before_id=before, limit=limit + 1)
    more = len(rows) > limit
    return {"data": _shape(rows[:limit]), "next_cursor": cursor_of(rows[limit - 1].id) if more else None}


@router.get(
    "/customers/{int:customer_id}/events",
    response={200: Page[EventOut], **ERRORS},
    **needs("customers.view", said("A customer's timeline", "客户时间线"), said("The latest first.", "最近的在前。")),
)
def timeline(
    request: HttpRequest, customer_id: CustomerId, event: Name = None, cursor: Cursor = None, limit: Limit = 50
) -> Any:
    actor(request, "customers.view")
    before = None
    if cursor:
        at, id = values_of(cursor, int, int)
        before = clock.from_micros(min(at, 4_000_000_000_000_000)), id
    names = [event] if event else None
    rows = queries.timeline(customers.members(customer_id), names=names, before=before, limit=limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    return {"data": _shape(rows[:limit]), "next_cursor": cursor_of(clock.micros(last.at), last.id) if last else None}
