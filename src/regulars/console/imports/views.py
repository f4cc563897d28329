"""Files on their way in: the list, the mapping with its preview, the bar while it runs, and what came of it."""

import json
from typing import Any, cast

from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from regulars.accounts.queries import names_of
from regulars.console.imports import forms
from regulars.console.requests import ConsoleRequest, number, page
from regulars.console.toasts import toast
from regulars.imports import mappings as known
from regulars.imports import queries, services
from regulars.imports.models import Import
from regulars.jobs import queries as jobs
from regulars.kernel.errors import Conflict, Invalid, NotFound, Problem
from regulars.kernel.languages import Text

SIZE = 50


def _listed(request: ConsoleRequest, problem: Problem | None = None) -> HttpResponse:
    rows = queries.imports(before=number(request.GET.get("after")), limit=SIZE + 1)
    doing = _doing(rows[:SIZE])
    context = {
        "imports": [_row(row, doing.get(row.job_id)) for row in rows[:SIZE]],
        "following": rows[SIZE - 1].pk if len(rows) > SIZE else None,
        "names": names_of({row.actor for row in rows}),
        "kinds": known.KINDS.items(),
        "moving": any(row.state in ("uploaded", "running") for row in rows[:SIZE]),
        "problem": problem,
        "given": request.POST.get("kind", "orders"),
    }
    part = "console/imports/list.html#rows" if request.htmx else "console/imports/list.html"
    return render(request, part, context, status=problem.status if problem else 200)


def _doing(rows: list[Import]) -> dict[str, Text]:
    """What the jobs of those that move are at, by job."""
    moving = [row.job_id for row in rows if row.state in ("uploaded", "running") and row.job_id]
    return jobs.notes(moving) if moving else {}


def _row(row: Import, doing: Text | None) -> dict[str, Any]:
    rejected = sum(row.counts.get("rejected", {}).values())
    new = sum(row.counts.get(name, 0) for name in ("sales_new", "refunds_new", "customers_new", "events_new"))
    share = row.done / row.total if row.done and row.total else None  # sorting the rows comes first and has no measure
    return {
        "row": row, "kind": known.KINDS[row.kind], "state": queries.STATES[row.state], "rejected": rejected, "new": new,
        "share": share, "doing": doing,
    }  # fmt: skip


@page(capability="imports.run")
def imports(request: ConsoleRequest) -> HttpResponse:
    return _listed(request)


@page(capability="imports.run")
@require_POST
def upload(request: ConsoleRequest) -> HttpResponse:
    file = request.FILES.get("file")
    try:
        if file is None:
            raise Invalid("file", Text("Choose a file.", "请选择文件。"), field="file")
        row = services.upload(
            kind=request.POST.get("kind", ""),  # type: ignore[arg-type]
            name=file.name or "",
            chunks=file.chunks(),
            by=request.actor,
        )
        services.reread(id=row.pk, by=request.actor)
    except Problem as problem:
        return _listed(request, problem)
    return redirect("imports:page", row.pk)


@page(capability="imports.run")
def one(request: ConsoleRequest, id: int) -> HttpResponse:
    """The mapping while it waits for somebody, else how far it is or what came of it."""
    row = queries.get(id)
    if request.htmx and row.state not in ("uploaded", "running"):
        answer = HttpResponse()
        answer["HX-Refresh"] = "true"  # another page now: the mapping, or the result
        return answer
    if row.state == "mapped":
        return render(request, "console/imports/mapping.html", forms.context(row))
    context = _row(row, _doing([row]).get(row.job_id)) | {
        "import": row,
        "who": names_of({row.actor}).get(row.actor, ""),
        "summary": queries.summary(row),
        "reasons": queries.reasons(row),
        "error": Text(row.error["en"], row.error["zh"]) if row.error else None,
        "remarks": [Text(one["en"], one["zh"]) for one in row.remarks],
        "has_rejects": queries.rejects_file(row) is not None and row.counts.get("in_rejects", 0),
    }
    part = "console/imports/page.html#progress" if request.htmx else "console/imports/page.html"
    return render(request, part, context)


def _mapping(request: ConsoleRequest, row: Import, problem: Problem | None = None) -> HttpResponse:
    part = "console/imports/mapping.html#mapping" if request.htmx else "console/imports/mapping.html"
    status = problem.status if problem and not request.htmx else 200  # htmx doesn't show what isn't a success
    return render(request, part, forms.context(row, problem), status=status)


@page(capability="imports.run")
def forecast(request: ConsoleRequest, id: int) -> HttpResponse:
    """What would become of a big file, fetched by its mapping's page: it may take seconds."""
    row = queries.get(id)
    found = forms.foreseen(row) if row.state == "mapped" else None
    if found is None:
        return HttpResponse(status=204)
    return render(request, "console/imports/_forecast.html", {"import": row, "forecast": found, "late": True})


@page(capability="imports.run")
@require_POST
def choose(request: ConsoleRequest, id: int) -> HttpResponse:
    """A field of the mapping was changed, or a saved mapping chosen: the preview follows."""
    row = queries.get(id)
    problem = None
    try:
        if name := request.POST.get("use", ""):
            mapping = queries.saved_mapping(name, row.kind)
            gone = [header for header in mapping.columns.values() if header not in row.layout["headers"]]
            services.choose_mapping(id=id, mapping=mapping, by=request.actor)
            if not gone:
                toast(request, Text("The mapping “{name}” is in use.", "已套用映射“{name}”。").filled(name=name))
        else:
            services.choose_mapping(id=id, mapping=forms.mapping_of(_waiting(row), request.POST), by=request.actor)
    except Conflict:
        raise
    except Problem as fault:
        problem = fault
    return _mapping(request, queries.get(id), problem)


def _waiting(row: Import) -> Import:
    if row.state != "mapped":
        raise Conflict("state", Text("This import has begun already.", "该导入已经开始。"))
    return row


@page(capability="imports.run")
@require_POST
def reread(request: ConsoleRequest, id: int) -> HttpResponse:
    services.reread(
        id=id, by=request.actor, encoding=request.POST.get("encoding", ""), sheet=request.POST.get("sheet", "")
    )
    return redirect("imports:page", id)


@page(capability="imports.run")
@require_POST
def start(request: ConsoleRequest, id: int) -> HttpResponse:
    row = _waiting(queries.get(id))
    try:
        services.choose_mapping(id=id, mapping=forms.mapping_of(row, request.POST), by=request.actor)
        services.start(id=id, by=request.actor)
    except Conflict:
        raise
    except Problem as problem:
        return _mapping(request, queries.get(id), problem)
    return redirect("imports:page", id)


@page(capability="imports.run")
@require_POST
def cancel(request: ConsoleRequest, id: int) -> HttpResponse:
    services.cancel(id=id, by=request.actor)
    toast(request, Text("The import stops. What is in stays.", "导入将停止，已导入的内容会保留。"), kind="note")
    return redirect("imports:page", id)


@page(capability="imports.run")
@require_POST
def save(request: ConsoleRequest, id: int) -> HttpResponse:
    row = _waiting(queries.get(id))
    try:
        mapping = services.choose_mapping(id=id, mapping=forms.mapping_of(row, request.POST), by=request.actor)
        services.save_mapping(name=request.POST.get("name", ""), mapping=mapping, by=request.actor)
    except Problem as problem:
        return _mapping(request, queries.get(id), problem)
    toast(request, Text("The mapping is saved.", "映射已保存。"))
    return redirect("imports:page", id)


@page(capability="imports.run")
def rejects(request: ConsoleRequest, id: int) -> HttpResponse:
    row = queries.get(id)
    path = queries.rejects_file(row)
    if path is None:
        raise NotFound(
            "rejects", Text("There is no file of rejected rows (any more).", "没有被拒绝行的文件（或已清除）。")
        )
    answer = FileResponse(
        path.open("rb"), as_attachment=True, filename=f"rejected-{id}.csv", content_type="text/csv; charset=utf-8"
    )
    return cast(HttpResponse, answer)


@page(capability="imports.run")
def mappings(request: ConsoleRequest) -> HttpResponse:
    rows = [
        (row, known.KINDS[row.kind], list(known.parsed(row.mapping).columns.items()))
        for row in queries.saved_mappings()
    ]
    return render(request, "console/imports/mappings.html", {"mappings": rows, "targets": known.TARGETS})


@page(capability="imports.run")
@require_POST
def delete_mapping(request: ConsoleRequest, id: int) -> HttpResponse:
    name = next((row.name for row in queries.saved_mappings() if row.pk == id), "")
    mapping = services.delete_mapping(id=id, by=request.actor)
    toast(
        request,
        Text("The mapping is deleted.", "映射已删除。"),
        undo=reverse("imports:restore-mapping"),
        fields={"name": name, "mapping": json.dumps(mapping.model_dump(mode="json"), ensure_ascii=False)},
    )
    return redirect("imports:mappings")


@page(capability="imports.run")
@require_POST
def restore_mapping(request: ConsoleRequest) -> HttpResponse:
    mapping = forms.restored(request.POST.get("mapping", ""))
    services.save_mapping(name=request.POST.get("name", ""), mapping=mapping, by=request.actor)
    return redirect("imports:mappings")
