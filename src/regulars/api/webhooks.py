"""Webhooks: where events are sent on to, and how that went."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from regulars.api.customers import Done
from regulars.api.shapes import ERRORS, Cursor, Limit, Number, Page, Taken, actor, needs, page_by_id, values_of
from regulars.api.wording import said
from regulars.webhooks import queries, services

router = Router(tags=["webhooks"])
EVENTS = said("Names of events; empty for all.", "事件名；为空表示全部。")


class WebhookIn(Taken):
    url: str = Field(max_length=500, description=said("A public https address.", "公网 https 地址。"))
    events: list[str] = Field(default_factory=list, max_length=100, description=EVENTS)
    name: str = Field("", max_length=100, description=said("What you call it.", "名称。"))


class WebhookOut(Schema):
    id: int = Field(description=said("Number.", "编号。"))
    url: str = Field(description=said("Where events are sent to.", "接收地址。"))
    name: str = Field(description=said("What you call it.", "名称。"))
    events: list[str] = Field(description=EVENTS)
    active: bool = Field(description=said("Whether events are sent.", "是否启用。"))
    waiting: int = Field(description=said("Deliveries in line.", "等待投递数。"))
    failed: int = Field(description=said("Deliveries given up.", "投递失败数。"))
    paused_reason: str = Field(description=said("Why it was paused; empty if by hand.", "停用原因；手动停用则为空。"))
    created_at: datetime = Field(description=said("Since when.", "创建时间。"))
    removed_at: datetime | None = Field(description=said("When it was removed.", "移除时间。"))


class Made(Schema):
    id: int = Field(description=said("Number.", "编号。"))
    secret: str = Field(description=said("Signs what is sent (Standard Webhooks).", "签名密钥（Standard Webhooks）。"))


class DeliveryOut(Schema):
    id: int = Field(description=said("Number.", "编号。"))
    key: str = Field(description=said("The webhook-id sent along.", "随请求发送的 webhook-id。"))
    endpoint: int = Field(description=said("Number of the webhook.", "Webhook 编号。"))
    event: str = Field(description=said("Name of the event.", "事件名。"))
    state: str = Field(description=said("waiting, sending, delivered, failed or cancelled.", "状态。"))
    attempts: int = Field(description=said("How often it was tried.", "尝试次数。"))
    created_at: datetime = Field(description=said("When it came in line.", "创建时间。"))
    delivered_at: datetime | None = Field(description=said("When it arrived.", "送达时间。"))


@router.get(
    "/webhooks",
    response={200: Page[WebhookOut], **ERRORS},
    **needs("webhooks.edit", said("Webhooks, the youngest first", "Webhook 列表，最新的在前")),
)
def list_webhooks(
    request: HttpRequest,
    removed: Annotated[
        bool,
        Query(description=said("Those removed whose log is still kept.", "仅列出已移除但仍有投递记录的 Webhook。")),
    ] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Any:
    actor(request, "webhooks.edit")
    before = values_of(cursor, int)[0] if cursor else None
    rows = queries.endpoints(removed=removed, before=before, limit=limit + 1)
    return page_by_id(rows, [row.id for row in rows], limit)


@router.get(
    "/webhooks/{int:webhook_id}",
    response={200: WebhookOut, **ERRORS},
    **needs("webhooks.edit", said("Get a webhook", "获取 Webhook")),
)
def get_webhook(request: HttpRequest, webhook_id: Number) -> Any:
    actor(request, "webhooks.edit")
    return queries.endpoint(webhook_id)


@router.post(
    "/webhooks", response={201: Made, **ERRORS}, **needs("webhooks.edit", said("Add a webhook", "新增 Webhook"))
)
def add_webhook(request: HttpRequest, data: WebhookIn) -> Any:
    by = actor(request, "webhooks.edit")
    id, secret = services.add_endpoint(url=data.url, events=data.events, name=data.name, by=by)
    return 201, {"id": id, "secret": secret}


class WebhookChange(Taken):
    url: str | None = Field(None, max_length=500, description=said("A public https address.", "公网 https 地址。"))
    events: list[str] | None = Field(None, max_length=100, description=EVENTS)
    name: str | None = Field(None, max_length=100, description=said("What you call it.", "名称。"))
    active: bool | None = Field(None, description=said("false pauses it.", "false 表示停用。"))


@router.patch(
    "/webhooks/{int:webhook_id}",
    response={200: WebhookOut, **ERRORS},
    **needs(
        "webhooks.edit",
        said("Change or pause a webhook", "修改或停用 Webhook"),
        said("What is left out stays.", "未提供的内容保持不变。"),
    ),
)
def change_webhook(request: HttpRequest, webhook_id: Number, data: WebhookChange) -> Any:
    by = actor(request, "webhooks.edit")
    services.change_endpoint(id=webhook_id, by=by, url=data.url, events=data.events, name=data.name, active=data.active)
    return queries.endpoint(webhook_id)


@router.post(
    "/webhooks/{int:webhook_id}/secret",
    response={200: Made, **ERRORS},
    **needs(
        "webhooks.edit",
        said("Make a new secret", "生成新的密钥"),
        said("What is sent from now on is signed with it.", "此后发送的内容均以新密钥签名。"),
    ),
)
def renew_secret(request: HttpRequest, webhook_id: Number) -> Any:
    by = actor(request, "webhooks.edit")
    return {"id": webhook_id, "secret": services.renew_secret(id=webhook_id, by=by)}


@router.delete(
    "/webhooks/{int:webhook_id}",
    response={200: Done, **ERRORS},
    **needs("webhooks.edit", said("Remove a webhook", "移除 Webhook")),
)
def remove_webhook(request: HttpRequest, webhook_id: Number) -> Any:
    by = actor(request, "webhooks.edit")
    services.remove_endpoint(id=webhook_id, by=by)
    return {"done": True}


@router.get(
    "/deliveries",
    response={200: Page[DeliveryOut], **ERRORS},
    **needs("webhooks.edit", said("What was sent, the latest first", "投递记录，最近的在前")),
)
def list_deliveries(
    request: HttpRequest,
    webhook: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description=said("Of this webhook.", "仅此 Webhook。"))
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Any:
    actor(request, "webhooks.edit")
    before = values_of(cursor, int)[0] if cursor else None
    rows = queries.deliveries(endpoint=webhook, before=before, limit=limit + 1)
    return page_by_id(rows, [row.id for row in rows], limit)


class AttemptOut(Schema):
    at: datetime = Field(description=said("When.", "时间。"))
    status: int | None = Field(
        description=said("HTTP status of the answer; null: none came.", "响应状态码；无响应为 null。")
    )
    milliseconds: int = Field(description=said("How long it took.", "耗时（毫秒）。"))
    error: str | None = Field(
        description=said("Why no answer came, in the caller's language.", "无响应的原因（调用方语言）。")
    )
    excerpt: str = Field(description=said("How the answer began.", "响应开头。"))


class DeliveryDetail(Schema):
    delivery: DeliveryOut = Field(description=said("The delivery.", "投递。"))
    body: str = Field(
        description=said("What is sent; {} once the person was erased.", "发送内容；个人信息删除后为 {}。")
    )
    attempts: list[AttemptOut] = Field(description=said("Each attempt, the latest first.", "各次尝试，最近的在前。"))


@router.get(
    "/deliveries/{int:delivery_id}",
    response={200: DeliveryDetail, **ERRORS},
    **needs("webhooks.edit", said("A delivery and how each attempt went", "投递内容与各次尝试")),
)
def get_delivery(request: HttpRequest, delivery_id: Number) -> Any:
    actor(request, "webhooks.edit")
    found = queries.delivery(delivery_id)
    attempts = [
        {"at": one.at, "status": one.status, "milliseconds": one.milliseconds, "excerpt": one.excerpt,
         "error": None if one.error is None else str(one.error)}
        for one in found.attempts
    ]  # fmt: skip
    return {"delivery": found.delivery, "body": found.body, "attempts": attempts}


@router.post(
    "/deliveries/{int:delivery_id}/resend",
    response={200: Done, **ERRORS},
    **needs("webhooks.edit", said("Send it again", "重新投递")),
)
def resend(request: HttpRequest, delivery_id: Number) -> Any:
    by = actor(request, "webhooks.edit")
    services.resend(delivery_id=delivery_id, by=by)
    return {"done": True}
