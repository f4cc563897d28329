"""Two customers who are one person: found, compared, merged; and taken apart again."""

from datetime import date
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from regulars.console import formatting
from regulars.console.requests import ConsoleRequest, back, number, page
from regulars.console.toasts import toast
from regulars.customers import queries, services
from regulars.customers.consents import CHANNELS, PURPOSES
from regulars.customers.identities import KINDS
from regulars.customers.profiles import FIELDS, GENDERS
from regulars.kernel.errors import Problem
from regulars.kernel.languages import Text
from regulars.warehouse import queries as warehouse

IDENTITIES = 6  # of each side, before the rest is folded away


@page(capability="customers.merge")
def merge(request: ConsoleRequest, id: int) -> HttpResponse:
    """Choose the other, see what would happen, do it. The customer of the address stays; the other goes under it."""
    target = queries.root_of(id)
    other = number(request.POST.get("with") or request.GET.get("with"))
    context: dict[str, Any] = {"target": queries.get(target).card, "q": request.GET.get("q", ""), "problem": None}
    problem: Problem | None = None
    if request.method == "POST" and other:
        try:
            done = services.merge(
                source=other, target=target, keep_from_source=request.POST.getlist("keep"), by=request.actor
            )
        except Problem as fault:
            problem = fault
        else:
            said = Text("They are one customer now.", "已合并为一位客户。")
            toast(request, said, undo=reverse("customers:unmerge", args=[done]), fields={"stay": str(target)})
            return redirect("customers:page", target)
    if other and problem is None:
        try:
            context |= _preview(other, target)
        except Problem as fault:
            problem = fault
    elif context["q"]:
        context["found"] = [card for card in queries.find(context["q"]) if card.id != target and not card.erased]
    context["problem"] = problem
    return render(request, "console/customers/merge.html", context, status=problem.status if problem else 200)


def _preview(source: int, target: int) -> dict[str, Any]:
    found = queries.merge_preview(source=source, target=target)
    scores = warehouse.customers.scores_of(warehouse.snapshot(), [found.source.id, found.target.id])
    return {
        "preview": found,
        "differing": [
            (name, FIELDS.get(name, name), _said(name, theirs), _said(name, ours))
            for name, (theirs, ours) in found.differing.items()
        ],
        "along": _along(found),
        "filled": [(FIELDS.get(name, name), _said(name, value)) for name, value in found.filled.items()],
        "identities": [[(KINDS[row.kind], row.masked) for row in rows] for rows in (found.of_target, found.of_source)],
        "shown": f":{IDENTITIES}",
        "after_shown": f"{IDENTITIES}:",
        "agreed": [
            (CHANNELS[one.channel], PURPOSES[one.purpose], one, _why(one, found.source.id, found.target.id))
            for one in found.agreed
        ],
        "source_scores": scores.get(found.source.id),
        "target_scores": scores.get(found.target.id),
    }


def _along(found: queries.MergePreview) -> str:
    """What of the other comes along besides events and orders, as it is counted."""
    counted = (
        (found.identities, Text("identities: {n}", "{n} 个标识")),
        (found.tags, Text("tags: {n}", "{n} 个标签")),
        (found.notes, Text("notes: {n}", "{n} 条备注")),
        (found.consents, Text("consents: {n}", "{n} 项同意")),
    )
    said = [str(text.filled(n=formatting.number(count))) for count, text in counted if count]
    return str(Text(", ", "、")).join(said)


def _why(one: queries.Agreed, source: int, target: int) -> Text:
    """Why this will hold and nothing else."""
    theirs, ours = one.source, one.target
    if theirs is None or ours is None:
        return Text("only #{id} says anything", "只有 #{id} 有记录").filled(id=source if theirs else target)
    if theirs.given == ours.given:
        return Text("both say so", "双方一致")
    if theirs.at == ours.at:
        return Text("said at the same moment: the withdrawal counts", "登记时间相同，以撤回为准")
    return Text("#{id} said so later, on {day}", "以较晚的为准：#{id}，{day}").filled(
        id=source if one.counts == theirs else target, day=formatting.day(one.counts.at)
    )


def _said(name: str, value: Any) -> Any:
    if isinstance(value, date):
        return formatting.day(value)
    if name == "language" and value:
        return formatting.language(value)
    return GENDERS.get(value, value) if name == "gender" else value


@page(capability="customers.merge")
@require_POST
def unmerge(request: ConsoleRequest, merge_id: int) -> HttpResponse:
    free = services.unmerge(merge_id=merge_id, by=request.actor)
    toast(
        request,
        Text("They are two customers again.", "已恢复为两位客户。"),
        link=reverse("customers:page", args=[free]),
        link_text=Text("Open the other", "打开另一位"),
    )
    return back(request, "customers:page", queries.root_of(number(request.POST.get("stay")) or free))
