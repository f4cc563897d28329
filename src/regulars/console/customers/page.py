"""A customer's page: who, worth, stage and risk on the left; what happened in the middle; what to do on the right."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from regulars import catalog
from regulars.accounts.queries import names_of
from regulars.accounts.services import audit
from regulars.analytics import rfm
from regulars.console import charts, explanations, formatting
from regulars.console.customers import parts
from regulars.console.customers import timeline as telling
from regulars.console.requests import ConsoleRequest, number, page
from regulars.customers import queries, services, spoken
from regulars.customers.identities import KINDS
from regulars.customers.profiles import FIELDS, GENDERS
from regulars.eventlog import queries as log
from regulars.kernel import languages
from regulars.kernel.errors import NotFound, Problem
from regulars.kernel.languages import Text
from regulars.warehouse import queries as warehouse
from regulars.warehouse.queries.customers import Scores

SIZE = 30


@page(capability="customers.view")
def customer(request: ConsoleRequest, id: int) -> HttpResponse:
    profile = queries.get(id)
    if profile.id != id:  # merged into another: the address of a record leads to its customer
        return redirect("customers:page", profile.id)
    return shown(request, id)


def shown(request: ConsoleRequest, id: int, problem: Problem | None = None, form: str = "") -> HttpResponse:
    """The whole page; `form` is the one that `problem` belongs to, opened again with what was typed."""
    profile = queries.get(id)
    context: dict[str, Any] = _figures(profile) | {
        "card": profile.card,
        "erased": profile.erased_at,
        "problem": problem,
        "form": form,
        "contested": isinstance(problem, services.Contested),
        "given": request.POST if problem else {},
        "fields": _fields(profile, request.POST if form == "profile" else {}, problem),
        "genders": GENDERS.items(),
        "spoken": spoken.choices(languages.current()),
        "stores": queries.stores(),
        "kinds": KINDS.items(),
    }
    context |= parts.identities(id) | parts.changes(id) | parts.consent(id) | parts.notes(id)
    context |= tags_context(id) | merges_context(id)
    context |= _timeline(request, profile.records, id)
    return render(request, "console/customers/page.html", context, status=problem.status if problem else 200)


def _figures(profile: queries.Profile) -> dict[str, Any]:
    """What the warehouse says of a customer, and the position of the log that it has to be judged at to be all true."""
    snapshot, id = warehouse.snapshot(), profile.id
    scores = warehouse.customer.scores(snapshot, id)
    return {
        "profile": profile,
        "awaited": warehouse.customer.awaited(snapshot, id, profile.records),
        "scores": scores,
        "reasons": reasons(scores) if scores and scores.leaving and not profile.erased_at else [],
        "mood": warehouse.customer.mood(snapshot, id),
        "own_rhythm": bool(scores and scores.orders)
        and warehouse.customer.visits(snapshot, id) >= explanations.cutoffs().own_rhythm_visits,
        "meaning": rfm.MEANING.get(scores.rfm_group or "") if scores else None,
        "spend": _spend(snapshot, id) if scores and scores.orders else None,
    }


@page(capability="customers.view")
def figures(request: ConsoleRequest, id: int) -> HttpResponse:
    """Asked by a page that shows figures of before: nothing until those it waits for are there."""
    profile = queries.get(id)
    snapshot, until = warehouse.snapshot(), number(request.GET.get("awaited"))
    awaited = warehouse.customer.awaited(snapshot, profile.id, profile.records)
    if awaited is not None and (until is None or snapshot.judged < until):
        return HttpResponse(status=204)
    return render(request, "console/customers/_figures.html", _figures(profile))


def reasons(scores: Scores) -> list[str]:
    """Why a customer is warned of, in sentences with their own figures."""
    cutoffs, found = explanations.cutoffs(), []
    if scores.warn_silent and scores.silent_days is not None:
        found.append(
            Text(
                "No sign of life for {days} {days:day|days} (limit {limit}).",
                "已有 {days} 天没有任何互动（界限 {limit} 天）。",
            ).filled(days=scores.silent_days, limit=cutoffs.churn_silent_days)
        )
    if scores.warn_spend and scores.spend_before:
        down = 1 - scores.spend_recent / scores.spend_before
        found.append(
            Text(
                "Spend down {share}: {recent} after {before}.", "消费下降 {share}：由 {before} 降至 {recent}。"
            ).filled(
                share=formatting.percent(down, 0),
                recent=formatting.money(scores.spend_recent),
                before=formatting.money(scores.spend_before),
            )
        )
    if scores.warn_overdue and scores.gap_days is not None:
        found.append(
            Text(
                "Usually comes every {gap} {gap:day|days}; the last time was {recency} {recency:day|days} ago.",
                "平时每 {gap} 天来一次，距上次已 {recency} 天。",
            ).filled(gap=scores.gap_days, recency=scores.recency_days)
        )
    return [str(text) for text in found]


def _spend(snapshot: warehouse.Snapshot, id: int) -> charts.Chart | None:
    months = warehouse.customer.spend_by_month(snapshot, id, months=12)
    if not any(net for _, net in months):
        return None
    title = str(Text("Net spend by month", "每月净消费"))
    return charts.bars(
        title,
        [formatting.month(month) for month, _ in months],
        [(title, [net for _, net in months], "@accent")],
        unit="money",
        height=120,
        first=str(Text("Month", "月份")),
    )


def _fields(profile: queries.Profile, given: Mapping[str, str], problem: Problem | None) -> list[dict[str, Any]]:
    """The profile as facts to read and inputs to fill: with what was typed, and beside it what somebody else made of
    the field meanwhile. `seen` goes along with the form: what the field held when its editor last saw it.
    """
    stores = dict(queries.stores())
    contested = parts.contested(problem, stores) if isinstance(problem, services.Contested) else {}
    found = []
    for name, text in FIELDS.items():
        value = profile.fields[name]
        said = value
        if name == "gender":
            said = GENDERS.get(value or "", value)
        elif name == "birthday":
            said = formatting.day(value) if value else None
        elif name == "home_store":
            said = stores.get(value or "", value)
        elif name == "language" and value:
            said = formatting.language(value)
        now = value.isoformat() if isinstance(value, date) else value or ""
        seen = given.get(f"seen_{name}", now)
        typed = given.get(name, now)
        if isinstance(problem, services.Contested):  # whoever saves again knows what stands now
            typed, seen = now if typed.strip() == seen else typed, now
        found.append({"name": name, "text": text, "value": typed, "seen": seen, "said": said, "now": now,
                      "contested": contested.get(name)})  # fmt: skip
    return found


def tags_context(id: int) -> dict[str, Any]:
    return {"customer_id": id, "tags": queries.tags(id), "all_tags": queries.tag_names()}


def merges_context(id: int) -> dict[str, Any]:
    rows = [row for row in queries.merges(id) if row.undone_at is None]
    names = names_of({row.by for row in rows})
    return {"merges": [(row, KINDS.get(row.kind), names.get(row.by, row.by)) for row in rows]}


def _timeline(request: ConsoleRequest, records: tuple[int, ...], id: int) -> dict[str, Any]:
    kind = request.GET.get("kind", "")
    names = catalog.names_of(kind) if kind in catalog.GROUPS else None
    rows = log.timeline(records, names=names, before=_before(request.GET.get("after", "")), limit=SIZE + 1)
    last = rows[SIZE - 1] if len(rows) > SIZE else None
    return {
        "lines": telling.lines(rows[:SIZE]),
        "kind": kind,
        "event_kinds": catalog.GROUPS.items(),
        "following": f"{last.at.isoformat()}_{last.id}" if last else None,
        "customer_id": id,
    }


def _before(key: str) -> tuple[datetime, int] | None:
    at, _, id = key.rpartition("_")
    try:
        return datetime.fromisoformat(at), int(id)
    except ValueError:
        return None


@page(capability="customers.view")
def timeline(request: ConsoleRequest, id: int) -> HttpResponse:
    """The middle of the page: for a kind of event, or the part that follows."""
    profile = queries.get(id)
    if not request.htmx:
        return shown(request, profile.id)
    context = _timeline(request, profile.records, profile.id)
    if request.GET.get("after"):
        return render(request, "console/customers/_timeline.html#more", context)
    answer = render(request, "console/customers/_timeline.html#timeline", context)
    # The page's own address names the kind, so that Back, reloading and sharing keep it; a tab is no step of its own.
    address = reverse("customers:page", args=[profile.id]) + (
        f"?{urlencode({'kind': context['kind']})}" if context["kind"] else ""
    )
    answer["HX-Push-Url" if "kind" in request.GET else "HX-Replace-Url"] = address
    return answer


@page(capability="customers.view")
def orders(request: ConsoleRequest, id: int) -> HttpResponse:
    root = queries.root_of(id)
    found = warehouse.customer.orders(warehouse.snapshot(), root, after=request.GET.get("after"))
    context = {
        "orders": [(order, [(line, telling.quantity(line.quantity)) for line in order.lines]) for order in found.rows],
        "following": found.after,
        "customer_id": root,
        "first": not request.GET.get("after"),
    }
    return render(request, "console/customers/_orders.html", context)


@page(capability="customers.edit")
@require_POST
def identity(request: ConsoleRequest, id: int) -> HttpResponse:
    """One identity in full; that somebody looked is in the audit trail."""
    wanted = request.POST.get("identity", "")
    row = next((row for row in queries.identities(id) if str(row.id) == wanted), None)
    if row is None:
        raise NotFound("identity", Text("This identity isn't there any more.", "该标识已不存在。"))
    audit(by=request.actor, action="Identity Shown", object_kind="customer", object_id=id, details={"kind": row.kind})
    return render(request, "console/customers/_identity.html", {"row": row})
