"""Identities that several people use, flagged by themselves: a person says what each is, and may take it back."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from regulars.console.requests import ConsoleRequest, back, page
from regulars.console.toasts import toast
from regulars.customers import queries, services
from regulars.customers.identities import KINDS
from regulars.kernel.languages import Text

SIZE = 50


@page(capability="customers.merge")
def shared(request: ConsoleRequest) -> HttpResponse:
    """The latest first; those that are settled make room for the ones behind them."""
    rows = queries.shared_identities(limit=SIZE)
    context = {
        "rows": [
            (row, KINDS[row.kind], [(KINDS[kind], count) for kind, count in row.seen_with.items() if count],
             [(one, KINDS.get(one.kind)) for one in row.merges])
            for row in rows
        ],
        "full": len(rows) == SIZE,
    }  # fmt: skip
    return render(request, "console/customers/shared.html", context)


@page(capability="customers.merge")
@require_POST
def settle(request: ConsoleRequest, id: int) -> HttpResponse:
    is_shared = request.POST.get("shared") == "1"
    services.settle_identity(identity_id=id, shared=is_shared, by=request.actor)
    said = (
        Text("It stays shared and decides nothing.", "已确认为多人共用，不再用于识别客户。")
        if is_shared
        else Text("It is one person's and decides again.", "已确认属于一位客户，恢复用于识别。")
    )
    toast(request, said, undo=reverse("customers:ask-again", args=[id]))
    return back(request, "customers:shared")


@page(capability="customers.merge")
@require_POST
def ask_again(request: ConsoleRequest, id: int) -> HttpResponse:
    services.ask_again(identity_id=id, by=request.actor)
    toast(request, Text("It is in the list again.", "已放回待确认列表。"), kind="note")
    return back(request, "customers:shared")
