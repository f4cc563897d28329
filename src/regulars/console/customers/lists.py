"""The list of customers: searched, filtered, sorted, paged by key; tagged, noted about and exported many at once."""

from dataclasses import replace
from typing import Any

from django.http import FileResponse, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from regulars.analytics import lifecycle, rfm, traits
from regulars.console import explanations, formatting
from regulars.console.customers import filters, saved
from regulars.console.requests import ConsoleRequest, back, numbers, page
from regulars.console.toasts import toast
from regulars.customers import queries, services
from regulars.kernel import languages
from regulars.kernel.errors import Invalid, Problem
from regulars.kernel.languages import Text
from regulars.warehouse import queries as warehouse
from regulars.wiring import exports

SIZE = 50
TAGS = 2  # of a customer, in the list
MOST_AT_ONCE = 20_000


@page(capability="customers.view")
def customers(request: ConsoleRequest) -> HttpResponse:
    asked = filters.asked(request.GET)
    snapshot = warehouse.snapshot()
    wanted = asked.filters()
    wanted = exports.with_tag(wanted, asked.tag) if asked.tag else wanted
    rows = warehouse.customers.page(
        snapshot, filters=wanted, sort=asked.sort, descending=asked.descending, after=request.GET.get("after"),
        limit=SIZE,
    )  # fmt: skip
    ids = [row.customer_id for row in rows.rows]
    found = list(wanted.ids or ()) if asked.q else []
    cards = queries.by_ids([*ids, *found])
    listed: list[dict[str, Any]] = [
        {"card": cards[row.customer_id], "scores": row} for row in rows.rows if row.customer_id in cards
    ]
    if asked.q and not asked.chips and not request.GET.get("after"):  # found, but not judged yet
        listed += [{"card": cards[id], "scores": None} for id in found if id in cards and id not in ids]
    if not snapshot.version and not asked.narrowed and not listed:  # nothing is judged before the first refresh
        listed = [{"card": card, "scores": None} for card in queries.page(limit=SIZE)]
    tags = queries.tags_of(ids)
    for row in listed:
        names = tags.get(row["card"].id, [])
        row["tags"], row["more_tags"] = names[:TAGS], names[TAGS:]
    context = {
        "rows": listed,
        "total": _total(asked, snapshot, wanted, len(listed), more=bool(rows.after or request.GET.get("after"))),
        "unlisted": _unlisted(asked, snapshot, wanted),
        "nameless": warehouse.customers.nameless(snapshot, filters=wanted) if asked.survey else 0,
        "following": rows.after,
        "asked": asked,
        "columns": (columns := filters.columns(request.GET)),
        "shown": asked.sort if asked.sort in {column["name"] for column in columns} else "net",  # where room is for one
        "stages": lifecycle.STAGES.items(),
        "groups": [(key, explanations.group_text(key)) for key in rfm.GROUPS],
        "moods": traits.MOODS.items(),
        "tastes": traits.TASTES.items(),
        "ranges": filters.ranges(request.GET),
        "all_tags": queries.tag_names(),
        "views": saved.views(by=request.actor),
        "snapshot": snapshot,
        "shared": request.actor.may("customers.merge") and queries.shared_identities(limit=1),
    } | (places := warehouse.customers.stores_and_channels(snapshot))
    context["channel_choices"] = [(channel, explanations.channel_text(channel)) for channel in places["channels"]]
    return render(request, "console/customers/list.html", context)


def _total(
    asked: filters.Asked, snapshot: warehouse.Snapshot, wanted: warehouse.customers.Filters, shown: int, *, more: bool
) -> int | None:
    """How many customers the whole list has; None where the search stopped looking for more."""
    if asked.q and len(wanted.ids or ()) == filters.MOST_FOUND:
        return None
    return warehouse.customers.count(snapshot, filters=wanted) if more else shown


def _unlisted(asked: filters.Asked, snapshot: warehouse.Snapshot, wanted: warehouse.customers.Filters) -> int:
    """How many of the same kind figures count and no list shows, since they were erased.

    The erased have no name, identity or tag to be found by, so a search or a tag leaves out none; without a filter no
    figure leads here.
    """
    if asked.q or asked.tag or not asked.chips:
        return 0
    return warehouse.customers.count(snapshot, filters=replace(wanted, erased=True))


def _ids(request: ConsoleRequest) -> list[int]:
    return numbers(",".join(request.POST.getlist("ids")).split(","))


def _chosen(request: ConsoleRequest) -> list[int]:
    """The rows ticked, or all customers of the list when that is asked for."""
    if request.POST.get("all") != "1":
        return _ids(request)
    asked = filters.asked(QueryDict(request.POST.get("query", "")))
    wanted = asked.filters()
    wanted = exports.with_tag(wanted, asked.tag) if asked.tag else wanted
    ids = warehouse.customers.ids(warehouse.snapshot(), filters=wanted, limit=MOST_AT_ONCE + 1)
    if len(ids) > MOST_AT_ONCE:
        raise Invalid(
            "too_many",
            Text(
                "That would be more than {most} customers. Narrow the list first.",
                "超过 {most} 位客户，请先缩小筛选范围。",
            ).filled(most=MOST_AT_ONCE),
        )
    return ids


@page(capability="tags.edit")
@require_POST
def tag_many(request: ConsoleRequest) -> HttpResponse:
    name = request.POST.get("tag", "")
    try:
        done = services.tag(customer_ids=_chosen(request), name=name, by=request.actor)
    except Problem as problem:
        return _not_done(request, problem)
    said = Text("Tagged {n} {n:customer|customers}.", "已给 {n} 位客户打标签。").filled(
        n=formatting.number(len(done.customer_ids))
    )
    undo = reverse("customers:undo-tag") if done.customer_ids else ""
    toast(request, said, undo=undo, fields={"addition": done.addition})
    return back(request, "customers:list")


@page(capability="tags.edit")
@require_POST
def undo_tag(request: ConsoleRequest) -> HttpResponse:
    """Undo tagging, of one customer or thousands."""
    done = services.undo_tag(addition=request.POST.get("addition", ""), by=request.actor)
    said = Text("The tag is off {n} {n:customer|customers} again.", "已从 {n} 位客户撤回标签。")
    toast(request, said.filled(n=formatting.number(len(done))), kind="note")
    return back(request, "customers:list")


@page(capability="tags.edit")
@require_POST
def untag_many(request: ConsoleRequest) -> HttpResponse:
    name = request.POST.get("tag", "")
    try:
        done = services.untag(customer_ids=_chosen(request), name=name, by=request.actor)
    except Invalid as problem:
        return _not_done(request, problem)
    said = Text("Took the tag off {n} {n:customer|customers}.", "已从 {n} 位客户移除标签。")
    said = said.filled(n=formatting.number(len(done.customer_ids)))
    undo = reverse("customers:retag") if done.customer_ids else ""
    toast(request, said, undo=undo, fields={"removal": done.removal})
    return back(request, "customers:list")


@page(capability="tags.edit")
@require_POST
def retag(request: ConsoleRequest) -> HttpResponse:
    """Undo taking a tag off, of one customer or thousands."""
    done = services.retag(removal=request.POST.get("removal", ""), by=request.actor)
    said = Text("The tag is back on {n} {n:customer|customers}.", "已为 {n} 位客户恢复标签。")
    toast(request, said.filled(n=formatting.number(len(done))), kind="note")
    return back(request, "customers:list")


def _not_done(request: ConsoleRequest, problem: Problem) -> HttpResponse:
    toast(request, problem.text, kind="fault")
    return back(request, "customers:list")


def _told(request: ConsoleRequest, done: list[int], undo: str, text: Text, fields: dict[str, str]) -> None:
    """What was done with many, and the way back for exactly these: the form of an undo holds MOST_AT_ONCE ids."""
    ids = {"ids": ",".join(map(str, done))}
    toast(request, text.filled(n=formatting.number(len(done))), undo=undo if done else "", fields=fields | ids)


@page(capability="notes.edit")
@require_POST
def note_many(request: ConsoleRequest) -> HttpResponse:
    try:
        made = services.add_notes(customer_ids=_chosen(request), text=request.POST.get("text", ""), by=request.actor)
    except Invalid as problem:
        return _not_done(request, problem)
    said = Text("Wrote the note about {n} {n:customer|customers}.", "已为 {n} 位客户写下备注。")
    _told(request, made, reverse("customers:delete-notes"), said, {})
    return back(request, "customers:list")


@page(capability="notes.edit")
@require_POST
def delete_notes(request: ConsoleRequest) -> HttpResponse:
    done = services.delete_notes(note_ids=_ids(request), by=request.actor)
    _told(
        request,
        done,
        reverse("customers:restore-notes"),
        Text("Removed {n} {n:note|notes}.", "已删除 {n} 条备注。"),
        {},
    )
    return back(request, "customers:list")


@page(capability="notes.edit")
@require_POST
def restore_notes(request: ConsoleRequest) -> HttpResponse:
    done = services.restore_notes(note_ids=_ids(request), by=request.actor)
    toast(request, Text("{n} {n:note is|notes are} back.", "已恢复 {n} 条备注。").filled(n=len(done)))
    return back(request, "customers:list")


@page(capability="customers.export")
@require_POST
def export(request: ConsoleRequest) -> HttpResponse:
    asked = filters.asked(QueryDict(request.POST.get("query", "")))
    job_id = exports.start_export(
        filters=asked.filters(), tag=asked.tag, sort=asked.sort, descending=asked.descending,
        language=languages.current(), by=request.actor,
    )  # fmt: skip
    return redirect("jobs:page", job_id)


@page(capability="customers.export")
def exported(request: ConsoleRequest, job_id: str) -> HttpResponse:
    path = exports.exported(job_id, by=request.actor)
    written = formatting.local(int(path.stat().st_mtime * 1_000_000))
    return FileResponse(path.open("rb"), as_attachment=True, filename=f"customers-{written:%Y%m%d-%H%M}.csv")  # type: ignore[return-value]


@page(capability="customers.view")
@require_POST
def save_view(request: ConsoleRequest) -> HttpResponse:
    query = request.POST.get("query", "")
    try:
        row, old = saved.save(
            name=request.POST.get("name", ""), query=query, shared=request.POST.get("shared") == "1", by=request.actor
        )
    except Problem as problem:
        toast(request, problem.text, kind="fault")
    else:
        if old is None:
            toast(request, Text("Saved as “{name}”.", "已保存为“{name}”。").filled(name=row.name))
        elif old == (row.query, row.shared):
            said = Text("The view “{name}” is there already, just so.", "视图“{name}”已存在，内容相同。")
            toast(request, said.filled(name=row.name), kind="note")
        else:
            said = Text("This replaces your view “{name}”.", "已替换您原有的视图“{name}”。")
            fields = {"name": row.name, "query": old[0], "shared": "1" if old[1] else ""}
            toast(request, said.filled(name=row.name), undo=reverse("customers:save-view"), fields=fields)
    return redirect(f"{reverse('customers:list')}?{query}")


@page(capability="customers.view")
@require_POST
def remove_view(request: ConsoleRequest, id: int) -> HttpResponse:
    row = saved.remove(id=id, by=request.actor)
    toast(
        request,
        Text("The view “{name}” is removed.", "已删除视图“{name}”。").filled(name=row.name),
        undo=reverse("customers:save-view"),
        fields={"name": row.name, "query": row.query, "shared": "1" if row.shared else ""},
    )
    return redirect("customers:list")
