"""One search over everything: pages that one may open, and customers by name or any identity."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from regulars.console import navigation
from regulars.console.requests import ConsoleRequest, page
from regulars.customers import queries

LIMIT = 8


@page()
def results(request: ConsoleRequest) -> HttpResponse:
    wanted = request.GET.get("q", "").strip()
    low = wanted.casefold()
    pages: list[dict[str, Any]] = [
        {"text": entry.text, "url": reverse(entry.view), "icon": entry.icon}
        for entry in navigation.entries_for(request.actor)
        if low in entry.text.en.casefold() or low in entry.text.zh.casefold()
    ]
    found = queries.find(wanted, limit=LIMIT) if request.actor.may("customers.view") else []
    context = {"pages": pages[:LIMIT], "customers": found, "wanted": wanted}
    return render(request, "console/search/results.html", context)
