"""Where events are sent on to: endpoints, how what they are sent is verified, and the log of what was sent."""

import json
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from regulars import catalog
from regulars.console.requests import ConsoleRequest, back, number, page
from regulars.console.toasts import toast
from regulars.kernel.errors import Invalid, Problem
from regulars.kernel.languages import Text
from regulars.webhooks import queries, services

SIZE = 50
STATES: dict[str, tuple[Text, str]] = {
    "waiting": (Text("waiting", "等待发送"), "warning"),
    "sending": (Text("being sent", "发送中"), "accent"),
    "delivered": (Text("delivered", "已送达"), "good"),
    "failed": (Text("failed", "失败"), "bad"),
    "cancelled": (Text("cancelled", "已取消"), ""),
}
"""State of a delivery → in words, and its mark."""


@page(capability="webhooks.edit")
def endpoints(request: ConsoleRequest) -> HttpResponse:
    context = {"endpoints": queries.endpoints(), "removed": queries.endpoints(removed=True, limit=50)}
    return render(request, "console/webhooks/list.html", context)


def _events_given(request: ConsoleRequest) -> list[str]:
    """The chosen names; [] is all. Other names stand in one field, with commas, semicolons or lines between them."""
    if request.POST.get("which") != "some":
        return []
    others = request.POST.get("others", "")
    for mark in "，、；;\r\n":
        others = others.replace(mark, ",")
    names = request.POST.getlist("events") + [name.strip() for name in others.split(",") if name.strip()]
    return names or [""]  # none of them: the service says so, with what else is wrong


def _form(request: ConsoleRequest, known: queries.EndpointRow | None, problem: Problem | None = None) -> HttpResponse:
    """Empty, filled from what is known, or with what was typed."""
    if problem is not None or known is None:
        chosen, others = request.POST.getlist("events"), request.POST.get("others", "")
        given = {name: request.POST.get(name, "") for name in ("url", "name")}
        which = request.POST.get("which", "some")
    else:
        chosen = [name for name in known.events if name in catalog.CATALOG]
        others = ", ".join(name for name in known.events if name not in catalog.CATALOG)
        given, which = {"url": known.url, "name": known.name}, "some" if known.events else "all"
    groups = [
        (text, [entry for entry in catalog.CATALOG.values() if entry.group == key])
        for key, text in catalog.GROUPS.items()
    ]
    context = {
        "known": known, "given": given, "which": which, "chosen": chosen, "others": others,
        "groups": [(text, some, any(entry.name in chosen for entry in some)) for text, some in groups if some],
        "problem": problem, "no_events": problem and problem.at("events") and not others,
    }  # fmt: skip
    return render(request, "console/webhooks/edit.html", context, status=problem.status if problem else 200)


@page(capability="webhooks.edit")
@never_cache
def new(request: ConsoleRequest) -> HttpResponse:
    """The answer to a good form shows the secret, this once."""
    if request.method != "POST":
        return _form(request, None)
    try:
        id, secret = services.add_endpoint(
            url=request.POST.get("url", ""), name=request.POST.get("name", ""), events=_events_given(request),
            by=request.actor,
        )  # fmt: skip
    except Problem as problem:
        return _form(request, None, problem)
    return _shown(request, id, secret=secret)


@page(capability="webhooks.edit")
def edit(request: ConsoleRequest, id: int) -> HttpResponse:
    known = queries.endpoint(id)
    if known.removed_at is not None:
        return redirect("webhooks:page", id)
    if request.method != "POST":
        return _form(request, known)
    url = request.POST.get("url", "").strip()
    try:
        services.change_endpoint(
            id=id, url=url if url != known.url else None, name=request.POST.get("name", ""),
            events=_events_given(request), by=request.actor,
        )  # fmt: skip
    except Problem as problem:
        return _form(request, known, problem)
    toast(request, Text("The webhook is changed.", "Webhook 已修改。"))
    return redirect("webhooks:page", id)


def _shown(request: ConsoleRequest, id: int, *, secret: str = "", problem: Problem | None = None) -> HttpResponse:
    state = request.GET.get("state", "")
    state = state if state in STATES else ""
    rows = queries.deliveries(endpoint=id, state=state, before=number(request.GET.get("after")), limit=SIZE)
    context: dict[str, Any] = {
        "one": queries.endpoint(id),
        "secret": secret,
        "problem": problem,
        "state": state,
        "states": [(key, text) for key, (text, _) in STATES.items()],
        "rows": [(row, *STATES[row.state]) for row in rows],
        "after": rows[-1].id if len(rows) == SIZE else None,
    }
    return render(request, "console/webhooks/page.html", context, status=problem.status if problem else 200)


@page(capability="webhooks.edit")
def endpoint(request: ConsoleRequest, id: int) -> HttpResponse:
    return _shown(request, id)


@page(capability="webhooks.edit")
@require_POST
def switch(request: ConsoleRequest, id: int) -> HttpResponse:
    """Pause or go on."""
    active = request.POST.get("active") == "1"
    services.change_endpoint(id=id, active=active, by=request.actor)
    said = Text("Events are sent again.", "已恢复发送事件。") if active else Text("Paused.", "已暂停。")
    toast(request, said, undo=reverse("webhooks:switch", args=[id]), fields={"active": "0" if active else "1"})
    return back(request, "webhooks:page", id)


@page(capability="webhooks.edit")
@never_cache
@require_POST
def renew(request: ConsoleRequest, id: int) -> HttpResponse:
    return _shown(request, id, secret=services.renew_secret(id=id, by=request.actor))


@page(capability="webhooks.edit")
@require_POST
def test(request: ConsoleRequest, id: int) -> HttpResponse:
    made = services.send_test(id=id, by=request.actor)
    toast(request, Text("A test is on its way.", "测试事件已加入发送队列。"))
    return redirect("webhooks:delivery", made)


@page(capability="webhooks.edit")
@require_POST
def remove(request: ConsoleRequest, id: int) -> HttpResponse:
    if request.POST.get("confirm", "").strip() != str(id):
        text = Text("Type the webhook's number to delete it.", "请输入 Webhook 编号以确认删除。")
        return _shown(request, id, problem=Invalid("confirm", text, field="confirm"))
    services.remove_endpoint(id=id, by=request.actor)
    toast(request, Text("The webhook is deleted.", "Webhook 已删除。"))
    return redirect("webhooks:list")


@page(capability="webhooks.edit")
def delivery(request: ConsoleRequest, id: int) -> HttpResponse:
    """What was sent and how each attempt went; asks again by itself until it is settled."""
    found = queries.delivery(id)
    text, mark = STATES[found.delivery.state]
    context = {
        "row": found.delivery, "text": text, "mark": mark, "body": json.loads(found.body), "attempts": found.attempts,
        "one": queries.endpoint(found.delivery.endpoint), "moving": found.delivery.state in ("waiting", "sending"),
    }  # fmt: skip
    fragment = "#delivery" if request.htmx and not request.htmx.boosted else ""
    return render(request, "console/webhooks/delivery.html" + fragment, context)


@page(capability="webhooks.edit")
@require_POST
def resend(request: ConsoleRequest, id: int) -> HttpResponse:
    services.resend(delivery_id=id, by=request.actor)
    toast(request, Text("It is sent again, under the same id.", "将以相同的 ID 重新发送。"))
    return back(request, "webhooks:delivery", id)
