"""The business: name, zone, currency, region; how customers are judged; what groups are called."""

from functools import lru_cache
from zoneinfo import available_timezones

from babel import Locale
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from regulars.accounts import services
from regulars.accounts.queries import REGIONS
from regulars.analytics import rfm
from regulars.console import explanations, formatting
from regulars.console.requests import ConsoleRequest, page
from regulars.console.settings import form
from regulars.console.settings.proposing import proposed
from regulars.console.toasts import toast
from regulars.kernel.errors import Faults, Problem
from regulars.kernel.languages import Text
from regulars.wiring.refreshes import start_refresh


@lru_cache(maxsize=4)
def _choices(locale: str) -> dict[str, list[tuple[str, str]]]:
    said = Locale.parse(locale)
    common = ["CNY", "HKD", "TWD", "USD", "EUR", "GBP", "JPY", "SGD", "MYR", "KRW", "THB", "AUD", "CAD"]
    return {
        "currencies": [(code, f"{code} · {said.currencies.get(code, code)}") for code in common],
        "regions": sorted(
            [(code, said.territories.get(code, code)) for code in REGIONS],
            key=lambda pair: (pair[0] != "CN", pair[1]),
        ),
        "zones": [(name, "") for name in sorted(available_timezones()) if "/" in name and not name.startswith("Etc")],
    }


@page(capability="settings.edit")
def settings(request: ConsoleRequest) -> HttpResponse:
    business, problem = formatting.business(), None
    values = form.filled(business, explanations.cutoffs())
    if request.method == "POST":
        own = {name: request.POST.get(name, "") for name in ("name", "zone", "currency", "region")}
        faults = Faults()
        try:
            with faults.caught():
                services.checked_settings(**own)
            with faults.caught():
                cutoffs = form.cutoffs_from(request.POST, own["currency"] or business.currency)
            faults.tell()
            services.change_settings(
                **own,
                currency_was_wrong=request.POST.get("currency_was_wrong") == "1",
                more={
                    "cutoffs": cutoffs.to_json(),
                    "as_of": "today" if request.POST.get("as_of") == "today" else "auto",
                },
                by=request.actor,
            )
        except Problem as fault:
            problem = fault
            values |= request.POST.dict()
        else:
            toast(
                request,
                Text(
                    "Saved. Customers are judged anew with the next refresh, in a minute or so.",
                    "已保存。下一次刷新（约一分钟内）会按新设置重新判断客户。",
                ),
            )
            return redirect("settings:page")
    context = _choices(formatting.locale()) | {
        "values": values,
        "problem": problem,
        "lifecycle": form.LIFECYCLE,
        "churn": form.CHURN,
        "cuts": [(name, text, [f"{name}_{place}" for place in range(4)]) for name, text in form.CUTS],
        "places": range(4),
        "groups": [(text, rfm.MEANING[key], f"group_{key}_en", f"group_{key}_zh") for key, text in rfm.GROUPS.items()],
    }
    return render(request, "console/settings/page.html", context, status=problem.status if problem else 200)


@page(capability="settings.edit")
def first(request: ConsoleRequest) -> HttpResponse:
    """Asked once, before data comes in: what the business is, with proposals. The browser's zone comes in `zone`."""
    if formatting.business().version:
        return redirect("settings:page")
    zone, problem = request.GET.get("zone", ""), None
    values = {"name": ""} | proposed(zone=zone, languages=request.headers.get("Accept-Language", ""))
    if request.method == "POST":
        values = {name: request.POST.get(name, "").strip() for name in ("name", "zone", "currency", "region")}
        try:
            services.change_settings(
                name=values["name"], zone=values["zone"], currency=values["currency"], region=values["region"],
                by=request.actor,
            )  # fmt: skip
        except Problem as fault:
            problem = fault
        else:
            toast(request, Text("Saved. Now the data.", "已保存，接下来接入数据。"))
            return redirect("overview:page")
    context = _choices(formatting.locale()) | {"values": values, "problem": problem, "asked": bool(zone or problem)}
    return render(request, "console/settings/first.html", context, status=problem.status if problem else 200)


@page(capability="settings.edit")
@require_POST
def refresh(request: ConsoleRequest) -> HttpResponse:
    """Compute all figures anew, as a job."""
    start_refresh(by=request.actor)
    return redirect("jobs:list")
