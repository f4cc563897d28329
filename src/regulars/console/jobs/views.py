"""Long work: how far it is, what came of it, and stopping it."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from regulars.accounts.queries import names_of
from regulars.console.requests import ConsoleRequest, back, page
from regulars.console.toasts import toast
from regulars.jobs import queries, services
from regulars.kernel.languages import Text

SIZE = 50


@page()
def jobs(request: ConsoleRequest) -> HttpResponse:
    everybody = request.GET.get("of") == "everybody" and request.actor.may("jobs.view")
    rows = queries.jobs(by=request.actor, everybody=everybody, before=request.GET.get("after", ""), limit=SIZE + 1)
    context = {
        "jobs": rows[:SIZE],
        "following": rows[SIZE - 1].id if len(rows) > SIZE else None,
        "everybody": everybody,
        "names": names_of({row.actor for row in rows}),
        "states": queries.STATES,
        "moving": any(not row.over for row in rows[:SIZE]),
    }
    part = "console/jobs/list.html#rows" if request.htmx else "console/jobs/list.html"
    return render(request, part, context)


@page()
def job(request: ConsoleRequest, id: str) -> HttpResponse:
    found = queries.job(id, by=request.actor)
    context = {"job": found, "state": queries.STATES[found.state], "who": names_of({found.actor}).get(found.actor, "")}
    part = "console/jobs/page.html#state" if request.htmx else "console/jobs/page.html"
    return render(request, part, context)


@page()
@require_POST
def cancel(request: ConsoleRequest, id: str) -> HttpResponse:
    services.cancel(id=id, by=request.actor)
    toast(request, Text("It stops at its next step.", "将在下一步停止。"), kind="note")
    return back(request, "jobs:page", id)
