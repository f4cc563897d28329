"""One search over everything: customers by name or any identity, and every place that one may go to."""

from itertools import islice
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from regulars.console.requests import ConsoleRequest, page
from regulars.console.search.places import KINDS, LIMIT, Place, closed, pages
from regulars.customers import queries
from regulars.kernel.languages import Text

MOST_CUSTOMERS = 8
MOST_TYPED = 200


@page()
def results(request: ConsoleRequest) -> HttpResponse:
    wanted = request.GET.get("q", "").strip()[:MOST_TYPED]
    found = queries.find(wanted, limit=MOST_CUSTOMERS) if request.actor.may("customers.view") else []
    groups: list[tuple[str, Text, list[Place]]]
    if wanted:
        groups = [(key, text, list(islice(kind(wanted, request.actor), LIMIT))) for key, text, kind in KINDS]
    else:
        groups = [("pages", Text("Pages", "页面"), list(pages("", request.actor)))]
    context: dict[str, Any] = {"customers": found, "groups": [group for group in groups if group[2]], "wanted": wanted}
    if wanted and not found and not context["groups"]:
        context["closed"] = closed(wanted, request.actor)
    return render(request, "console/search/results.html", context)
