"""What can be done with a customer: tags, notes, consent, profile, identities, erasing, exporting. All can be
undone but erasing, which asks for the number typed.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from regulars.console import formatting
from regulars.console.customers import page as customer_page
from regulars.console.customers import parts
from regulars.console.requests import ConsoleRequest, back, page
from regulars.console.toasts import toast
from regulars.customers import services
from regulars.customers.consents import CHANNELS, PURPOSES
from regulars.customers.identities import KINDS
from regulars.customers.profiles import FIELDS
from regulars.kernel import clock
from regulars.kernel.errors import Invalid, Problem
from regulars.kernel.languages import Text
from regulars.wiring import erasures

_BEGINS = 24  # characters of a note, to tell which one is meant


def _answered(request: ConsoleRequest, id: int, part: str, context: Callable[[int], dict[str, Any]]) -> HttpResponse:
    """The part of the page that changed for htmx, else the page."""
    if not request.htmx:
        return back(request, "customers:page", id)
    return render(request, f"console/customers/{part}", context(id) | {"customer_id": id})


def _refused(
    request: ConsoleRequest, id: int, form: str, part: str, context: Callable[[int], dict[str, Any]], problem: Invalid
) -> HttpResponse:
    """What is wrong with a form that is a part of the page, at its field, with what was typed."""
    if not request.htmx:
        return customer_page.shown(request, id, problem, form)
    told = {"customer_id": id, "problem": problem, "form": form, "given": request.POST}
    return render(request, f"console/customers/{part}", context(id) | told, status=problem.status)


@page(capability="tags.edit")
@require_POST
def tag(request: ConsoleRequest, id: int) -> HttpResponse:
    name = request.POST.get("tag", "")
    try:
        done = services.tag(customer_ids=[id], name=name, by=request.actor)
    except Invalid as problem:
        return _refused(request, id, "tag", "_tags.html", customer_page.tags_context, problem)
    if done.customer_ids:
        said = Text("Tagged “{name}”.", "已添加标签“{name}”。").filled(name=name.strip())
        toast(
            request, said, undo=reverse("customers:undo-tag"), fields={"addition": done.addition},
            about=f"tag:{id}:{name.strip()}",
        )  # fmt: skip
    return _answered(request, id, "_tags.html", customer_page.tags_context)


@page(capability="tags.edit")
@require_POST
def untag(request: ConsoleRequest, id: int) -> HttpResponse:
    name = request.POST.get("tag", "")
    done = services.untag(customer_ids=[id], name=name, by=request.actor)
    if done.customer_ids:
        said = Text("The tag “{name}” is taken off.", "已移除标签“{name}”。").filled(name=name.strip())
        toast(
            request, said, undo=reverse("customers:retag"), fields={"removal": done.removal},
            about=f"tag:{id}:{name.strip()}",
        )  # fmt: skip
    return _answered(request, id, "_tags.html", customer_page.tags_context)


@page(capability="notes.edit")
@require_POST
def add_note(request: ConsoleRequest, id: int) -> HttpResponse:
    try:
        note = services.add_note(customer_id=id, text=request.POST.get("text", ""), by=request.actor)
    except Invalid as problem:
        return _refused(request, id, "note", "_notes.html", parts.notes, problem)
    begins = " ".join(request.POST["text"].split())
    begins = begins if len(begins) <= _BEGINS else begins[:_BEGINS].rstrip() + "…"
    said = Text("The note “{begins}” is kept.", "备注“{begins}”已保存。").filled(begins=begins)
    toast(request, said, undo=reverse("customers:delete-note", args=[note]))
    return _answered(request, id, "_notes.html", parts.notes)


@page(capability="notes.edit")
@require_POST
def delete_note(request: ConsoleRequest, note_id: int) -> HttpResponse:
    services.delete_note(note_id=note_id, by=request.actor)
    toast(request, Text("The note is removed.", "备注已删除。"), undo=reverse("customers:restore-note", args=[note_id]))
    return back(request, "customers:list")


@page(capability="notes.edit")
@require_POST
def restore_note(request: ConsoleRequest, note_id: int) -> HttpResponse:
    services.restore_note(note_id=note_id, by=request.actor)
    toast(request, Text("The note is back.", "备注已恢复。"))
    return back(request, "customers:list")


@page(capability="consent.edit")
@require_POST
def consent(request: ConsoleRequest, id: int) -> HttpResponse:
    given = request.POST.get("given") == "1"
    change = services.give_consent if given else services.withdraw_consent
    channel, purpose = request.POST.get("channel", ""), request.POST.get("purpose", "")
    entry = change(customer_id=id, channel=channel, purpose=purpose, source="console", by=request.actor)
    if entry is not None:
        said = (
            Text("Consent recorded: {what}.", "已登记同意：{what}。")
            if given
            else Text("Withdrawal recorded: {what}.", "已登记撤回：{what}。")
        )
        what = Text("{channel}, {purpose}", "{channel} · {purpose}").filled(
            channel=CHANNELS[channel], purpose=PURPOSES[purpose]
        )
        undo = reverse("customers:undo-consent", args=[entry])
        toast(request, said.filled(what=what), undo=undo, about=f"consent:{id}:{channel}:{purpose}")
    return _answered(request, id, "_consent.html", parts.consent)


@page(capability="consent.edit")
@require_POST
def undo_consent(request: ConsoleRequest, entry_id: int) -> HttpResponse:
    services.undo_consent(entry_id=entry_id, by=request.actor)
    toast(request, Text("It stands as before.", "已恢复原状。"), kind="note")
    return back(request, "customers:list")


@page(capability="customers.edit")
@require_POST
def profile(request: ConsoleRequest, id: int) -> HttpResponse:
    given = request.POST
    fields = {name: given.get(name, "").strip() or None for name in FIELDS if name in given}
    seen = {name: given[f"seen_{name}"] for name in fields if f"seen_{name}" in given}
    try:
        change = services.update_profile(customer_id=id, fields=fields, seen=seen, by=request.actor)
    except Problem as problem:
        return customer_page.shown(request, id, problem, "profile")
    if change is not None:
        toast(
            request,
            Text("The profile is changed.", "资料已修改。"),
            undo=reverse("customers:undo-profile", args=[change]),
        )
    return redirect("customers:page", id)


@page(capability="customers.edit")
@require_POST
def undo_profile(request: ConsoleRequest, change_id: int) -> HttpResponse:
    services.undo_profile_change(change_id=change_id, by=request.actor)
    toast(request, Text("The profile is as before.", "资料已恢复原状。"), kind="note")
    return back(request, "customers:list")


@page(capability="customers.edit")
@require_POST
def add_identity(request: ConsoleRequest, id: int) -> HttpResponse:
    kind = request.POST.get("kind", "")
    try:
        made = services.add_identity(customer_id=id, kind=kind, value=request.POST.get("value", ""), by=request.actor)
    except Problem as problem:
        at_field = Invalid(problem.code, problem.text, field="value")
        return customer_page.shown(request, id, at_field, "identity")
    if made is not None:
        undo = reverse("customers:remove-identity", args=[made])
        toast(request, Text("{kind} added.", "已添加{kind}。").filled(kind=KINDS[kind]), undo=undo)
    return redirect("customers:page", id)


@page(capability="customers.edit")
@require_POST
def remove_identity(request: ConsoleRequest, identity_id: int) -> HttpResponse:
    try:
        gone = services.remove_identity(identity_id=identity_id, by=request.actor)
    except Problem as problem:
        toast(request, problem.text, kind="fault")
        return back(request, "customers:list")
    said = Text("{kind} removed.", "已移除{kind}。")
    if gone.merged:
        said = Text(
            "{kind} removed. A merge that rested on it stays: undo it under “Merged from” if it was wrong.",
            "已移除{kind}。基于它的合并仍然保留；如有误，请在“合并来源”中撤销。",
        )
    undo = reverse("customers:restore-identity", args=[gone.removal])
    toast(request, said.filled(kind=KINDS[gone.kind]), undo=undo)
    return back(request, "customers:page", gone.customer_id)


@page(capability="customers.edit")
@require_POST
def restore_identity(request: ConsoleRequest, removal: str) -> HttpResponse:
    try:
        customer = services.restore_identity(removal=removal, by=request.actor)
    except Problem as problem:
        toast(request, problem.text, kind="fault")
        return back(request, "customers:list")
    toast(request, Text("The identity is back.", "标识已恢复。"), kind="note")
    return back(request, "customers:page", customer)


@page(capability="customers.edit")
def add(request: ConsoleRequest) -> HttpResponse:
    """Somebody new, by hand."""
    kinds = ("phone", "email", "member_card")
    problem = None
    if request.method == "POST":
        identities = [(kind, request.POST[kind].strip()) for kind in kinds if request.POST.get(kind, "").strip()]
        fields = {name: request.POST.get(name, "").strip() or None for name in ("name", "city")}
        try:
            id = services.add_customer(identities=identities, fields=fields, by=request.actor)
        except Problem as fault:
            problem = fault
        else:
            return redirect("customers:page", id)
    context = {"kinds": [(kind, KINDS[kind], request.POST.get(kind, "")) for kind in kinds], "problem": problem,
               "given": request.POST}  # fmt: skip
    return render(request, "console/customers/add.html", context, status=problem.status if problem else 200)


@page(capability="customers.erase")
@require_POST
def erase(request: ConsoleRequest, id: int) -> HttpResponse:
    if request.POST.get("confirm", "").strip() != str(id):
        fault = Invalid(
            "confirm", Text("Type the customer's number to erase them.", "请输入客户编号以确认删除。"), field="confirm"
        )
        return customer_page.shown(request, id, fault, "erase")
    receipt = erasures.erase(customer_id=id, by=request.actor)
    return redirect("customers:erasure", receipt.customer_id)


@page(capability="customers.view")
def erasure(request: ConsoleRequest, id: int) -> HttpResponse:
    """The receipt, which names nobody."""
    return render(request, "console/customers/erased.html", {"receipt": erasures.receipt(id)})


@page(capability="customers.export")
@require_POST
def export_person(request: ConsoleRequest, id: int) -> HttpResponse:
    bundle = services.export_person(customer_id=id, by=request.actor)
    today = clock.today(formatting.business().zone)
    return HttpResponse(
        bundle,
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="customer-{id}-{today:%Y%m%d}.zip"'},
    )
