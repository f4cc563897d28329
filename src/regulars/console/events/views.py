"""Live events, quarantine, the event catalogue, and the subscribers of the log."""

import json
import shlex
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from regulars import catalog
from regulars.accounts.queries import api_keys, names_of, write_keys
from regulars.console.requests import back, number, numbers, page
from regulars.console.toasts import toast
from regulars.customers.queries import IdentityRow, by_ids, identities
from regulars.eventlog import dispatch, queries
from regulars.eventlog import quarantine as aside
from regulars.eventlog.rows import EventRow
from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text
from regulars.wiring import loops
from regulars.wiring.receiving import send_in_again

SOURCES: dict[str, Text] = {
    "": Text("All sources", "全部来源"),
    "track:": Text("Tracking", "跟踪 SDK"),
    "import:": Text("Imports", "导入"),
    "service": Text("Console and API", "控制台与 API"),
}


@page(capability="events.view")
def live(request: HttpRequest) -> HttpResponse:
    """What is arriving now; htmx asks for what came since, unless it is paused."""
    name, source = request.GET.get("name", ""), request.GET.get("source", "")
    source = source if source in SOURCES else ""
    since = number(request.GET.get("since"))
    found = queries.recent(name=name, source=source, after_id=since, before_id=number(request.GET.get("after")))
    cards = by_ids([row.record_id for row in found if row.record_id])
    filled = {
        "rows": [(row, cards.get(row.record_id) if row.record_id else None) for row in found],
        "newest": found[0].id if found else since or 0,
        "name": name,
        "source": source,
        "sources": SOURCES.items(),
        "names": sorted(catalog.CATALOG),
        "after": found[-1].id if len(found) == 50 else None,
        "keys": _keys(),
    }
    fragment = "console/events/_arrived.html" if since is not None and request.headers.get("HX-Request") else ""
    return render(request, fragment or "console/events/live.html", filled)


def _keys() -> dict[str, str]:
    """Names of the keys with which events come, by source."""
    return {f"track:{key.pk}": key.name for key in write_keys()} | {f"api:{key.pk}": key.name for key in api_keys()}


def as_curl(row: EventRow, host: str, known: Sequence[IdentityRow] = ()) -> str:
    """A command that sends this event again as a new one, of the customer with these `known` identities (the write key
    is left to fill in).
    """
    body: dict[str, Any] = {"event": row.name, "properties": row.properties, "timestamp": row.at.isoformat()}
    body |= {key: row.context[key] for key in ("userId", "anonymousId") if key in row.context}
    if "userId" not in body and "anonymousId" not in body:
        of = {one.kind: one.value for one in reversed(known) if not one.shared}
        name = "userId" if "user_id" in of else "anonymousId"
        body[name] = of.get("user_id") or of.get("anonymous_id") or "YOUR-CUSTOMER"
    said = json.dumps(body, ensure_ascii=False)
    return f"curl {host}/v1/track -u WRITEKEY: -H 'Content-Type: application/json' -d {shlex.quote(said)}"


@page(capability="events.view")
def event(request: HttpRequest, message_id: str) -> HttpResponse:
    """Inside one event."""
    row = queries.by_message_id(message_id)
    cards = by_ids([row.record_id] if row.record_id else [])
    card = cards.get(row.record_id) if row.record_id else None
    # Whole identities are for those who may also have them shown on the customer's page.
    known = identities(card.id) if card and request.actor.may("customers.edit") else []  # type: ignore[attr-defined]
    filled = {
        "row": row,
        "card": card,
        "known": catalog.CATALOG.get(row.name),
        "keys": _keys(),
        "who": names_of({row.actor}).get(row.actor, "") if row.actor else "",
        "curl": as_curl(row, request.build_absolute_uri("/").rstrip("/"), known),
    }
    return render(request, "console/events/event.html", filled)


@page(capability="events.view")
def catalogue(request: HttpRequest) -> HttpResponse:
    """Every event that the system knows, generated from the code."""
    groups = [
        (
            key,
            text,
            [(entry, list(entry.payload.model_fields)) for entry in catalog.CATALOG.values() if entry.group == key],
        )
        for key, text in catalog.GROUPS.items()
    ]
    return render(request, "console/events/catalogue.html", {"groups": [group for group in groups if group[2]]})


@page(capability="quarantine.repair")
def quarantine(request: HttpRequest) -> HttpResponse:
    """Events that couldn't be taken, by reason; within one reason the events themselves."""
    state = "discarded" if request.GET.get("state") == "discarded" else "open"
    given: dict[str, Any] = {key: request.GET[key] for key in ("code", "field", "name") if key in request.GET}
    rows = queries.quarantined(state=state, before=number(request.GET.get("after")), **given) if given else []
    filled = {
        "state": state,
        "given": given,
        "groups": queries.quarantine_groups(state=state),
        "rows": rows,
        "after": rows[-1].id if len(rows) == 50 else None,
        "keys": _keys(),
    }
    return render(request, "console/events/quarantine.html", filled)


def _ids(request: HttpRequest) -> list[int]:
    """The chosen ones, or, where a whole reason is meant, the first thousand of it."""
    chosen = numbers(request.POST.getlist("id"))
    if chosen or "code" not in request.POST:
        return chosen
    key: dict[str, Any] = {name: request.POST.get(name, "") for name in ("code", "field", "name")}
    return [row.id for row in queries.quarantined(limit=aside.BATCH, **key)]


def _none_chosen(request: HttpRequest) -> HttpResponse:
    toast(request, Text("Choose the events first.", "请先勾选事件。"), kind="note")
    return back(request, "events:quarantine")


@page(capability="quarantine.repair")
@require_POST
def replay(request: HttpRequest) -> HttpResponse:
    ids = _ids(request)
    if not ids:
        return _none_chosen(request)
    taken = aside.replay(ids=ids, intake=send_in_again, by=request.actor)  # type: ignore[attr-defined]
    left = len(ids) - taken
    text = (
        Text("{n} taken.", "已接收 {n} 个。").filled(n=taken)
        if not left
        else Text("{n} taken, {left} still can't be.", "已接收 {n} 个，{left} 个仍无法接收。").filled(
            n=taken, left=left
        )
    )
    toast(request, text, kind="done" if taken else "note")
    return back(request, "events:quarantine")


@page(capability="quarantine.repair")
@require_POST
def discard(request: HttpRequest) -> HttpResponse:
    ids = _ids(request)
    if not ids:
        return _none_chosen(request)
    count = aside.discard(ids=ids, by=request.actor)  # type: ignore[attr-defined]
    undo = {"ids": ",".join(map(str, ids)), "next": request.POST.get("next", "")}
    toast(
        request,
        Text("{n} discarded.", "已丢弃 {n} 个。").filled(n=count),
        undo=reverse("events:restore") if count else "",
        fields=undo,
    )
    return back(request, "events:quarantine")


@page(capability="quarantine.repair")
@require_POST
def restore(request: HttpRequest) -> HttpResponse:
    ids = numbers(request.POST.get("ids", "").split(",")) or _ids(request)
    if not ids:
        return _none_chosen(request)
    count = aside.restore(ids=ids, by=request.actor)  # type: ignore[attr-defined]
    toast(request, Text("{n} {n:is|are} back in quarantine.", "{n} 个已放回隔离区。").filled(n=count))
    return back(request, "events:quarantine")


@page(capability="quarantine.repair")
def one(request: HttpRequest, id: int) -> HttpResponse:
    """One event: what is wrong, what came, and a place to repair it. What was typed is never lost."""
    row = queries.quarantined_event(id)
    typed = json.dumps(row.payload, ensure_ascii=False, indent=2)
    problem = None
    if request.method == "POST":
        typed = request.POST.get("payload", "")
        try:
            try:
                payload = json.loads(typed)
            except ValueError as error:
                where = getattr(error, "lineno", 0)
                raise Invalid(
                    "json",
                    Text("This isn't JSON: look at line {n}.", "这不是有效的 JSON，请检查第 {n} 行。").filled(n=where),
                    field="payload",
                ) from None
            if aside.repair(id=id, payload=payload, intake=send_in_again, by=request.actor):  # type: ignore[attr-defined]
                toast(request, Text("Repaired and taken.", "已修复并接收。"))
                same = {"code": row.code, "field": row.field, "name": row.name}
                return HttpResponseRedirect(f"{reverse('events:quarantine')}?{urlencode(same)}")
            row = queries.quarantined_event(id)
            problem = Invalid(row.code, row.reason, field="payload")
        except Invalid as fault:
            problem = fault
    filled = {"row": row, "typed": typed, "problem": problem, "keys": _keys()}
    return render(request, "console/events/one.html", filled, status=422 if problem else 200)


@page(capability="events.view")
def subscribers(request: HttpRequest) -> HttpResponse:
    """Who follows the log, how far they are, and what they couldn't handle."""
    filled = {
        "processes": loops.processes(),
        "followers": queries.followers(),
        "parked": queries.parked(before=number(request.GET.get("after"))),
    }
    return render(request, "console/events/subscribers.html", filled)


@page(capability="quarantine.repair")
@require_POST
def settle(request: HttpRequest) -> HttpResponse:
    """Try parked events again, or let them go."""
    ids = numbers(request.POST.getlist("id"))
    if request.POST.get("what") == "discard":
        count = dispatch.discard_parked(ids=ids, by=request.actor)  # type: ignore[attr-defined]
        toast(request, Text("{n} let go.", "已放弃 {n} 个。").filled(n=count))
    else:
        count = dispatch.retry_parked(ids=ids, by=request.actor)  # type: ignore[attr-defined]
        toast(request, Text("{n} will be tried again.", "将重试 {n} 个。").filled(n=count))
    return back(request, "events:subscribers")
