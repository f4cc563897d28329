"""How other programs come in: write keys for events, API keys with scopes for everything else."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from regulars.accounts import queries, services
from regulars.accounts.capabilities import CAPABILITIES
from regulars.console.requests import ConsoleRequest, page
from regulars.console.toasts import toast
from regulars.kernel.errors import Problem
from regulars.kernel.languages import Text


def _listed(request: ConsoleRequest, problem: Problem | None = None, form: str = "", secret: str = "") -> HttpResponse:
    context = {
        "write_keys": queries.write_keys(),
        "api_keys": queries.api_keys(),
        "scopes": CAPABILITIES.items(),
        "scope_texts": CAPABILITIES,
        "chosen": request.POST.getlist("scopes"),
        "given": request.POST,
        "problem": problem,
        "form": form,
        "secret": secret,
        "example": next(iter(queries.active_write_keys()), "WRITE_KEY"),
        "address": settings.PUBLIC_URL or request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "console/keys/list.html", context, status=problem.status if problem else 200)


@page(capability="keys.edit")
def keys(request: ConsoleRequest) -> HttpResponse:
    return _listed(request)


@page(capability="keys.edit")
@require_POST
def add_write_key(request: ConsoleRequest) -> HttpResponse:
    try:
        services.add_write_key(name=request.POST.get("name", ""), by=request.actor)
    except Problem as problem:
        return _listed(request, problem, "write")
    toast(request, Text("The key works from now on.", "密钥已生效。"))
    return redirect("keys:list")


@page(capability="keys.edit")
@require_POST
def revoke_write_key(request: ConsoleRequest, id: int) -> HttpResponse:
    services.revoke_write_key(id=id, by=request.actor)
    toast(request, Text("The key is revoked.", "密钥已吊销。"))
    return redirect("keys:list")


@page(capability="keys.edit")
@never_cache
@require_POST
def add_api_key(request: ConsoleRequest) -> HttpResponse:
    """The one answer that shows the secret: it is never stored, so there is nothing to redirect to."""
    try:
        _, secret = services.add_api_key(
            name=request.POST.get("name", ""), scopes=request.POST.getlist("scopes"), by=request.actor
        )
    except Problem as problem:
        return _listed(request, problem, "api")
    return _listed(request, secret=secret)


@page(capability="keys.edit")
@require_POST
def revoke_api_key(request: ConsoleRequest, id: int) -> HttpResponse:
    services.revoke_api_key(id=id, by=request.actor)
    toast(request, Text("The key is revoked.", "密钥已吊销。"))
    return redirect("keys:list")
