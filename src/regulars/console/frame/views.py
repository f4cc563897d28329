"""Coming in, going out, one's own settings, and the pages for what went wrong."""

import sys
from typing import Any

from django.contrib.auth import authenticate, login, logout
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from regulars.accounts import attempts, services
from regulars.accounts.queries import actor_of
from regulars.accounts.queries import staff as everybody
from regulars.console import formatting, navigation
from regulars.console.middleware import problem_response
from regulars.console.requests import ConsoleRequest, back, page
from regulars.console.toasts import toast
from regulars.eventlog import queries as log
from regulars.kernel import languages
from regulars.kernel.errors import Forbidden, Invalid, NotFound, Problem, no_room
from regulars.kernel.languages import Text


@page()
def home(request: ConsoleRequest) -> HttpResponse:
    """The first page that the role may see: the overview for most, the customers for those who serve them. Before there
    is anything, whoever may say what the business is, is asked that.
    """
    if request.actor.may("settings.edit") and not formatting.business().version and not log.last_position():
        return redirect("settings:first")
    entries = navigation.entries_for(request.actor)
    return redirect(entries[0].view) if entries else redirect("frame:me")


@never_cache
def log_in(request: HttpRequest) -> HttpResponse:
    """An unknown address takes as long as a wrong password (Django hashes either way), and is told the same. The dialog
    of a page whose session has ended asks by htmx's header, and gets the fault alone or nothing.
    """
    wanted = request.POST.get("next") or request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        wanted = "/"
    in_dialog = bool(request.headers.get("HX-Request"))
    if request.user.is_authenticated and not in_dialog:
        return HttpResponseRedirect(wanted)
    email, problem = request.POST.get("email", "").strip(), None
    if request.method == "POST":
        try:
            staff = _known(request, email)
        except Problem as fault:
            problem = fault
        else:
            login(request, staff)
            services.audit(by=actor_of(staff), action="Logged In", object_kind="staff", object_id=staff.pk)
            return HttpResponse(status=204) if in_dialog else HttpResponseRedirect(wanted)
    if problem and in_dialog:
        return HttpResponse(str(problem.text), status=problem.status, content_type="text/plain; charset=utf-8")
    nobody = request.method == "GET" and not everybody().exists()
    context = {"email": email, "problem": problem, "next": wanted, "nobody": nobody,
               "ended": "ended" in request.GET or "ended" in request.POST}  # fmt: skip
    return render(request, "console/frame/login.html", context, status=problem.status if problem else 200)


def _known(request: HttpRequest, email: str) -> Any:
    address = request.META.get("REMOTE_ADDR", "")
    attempts.begin(email=email, address=address)
    staff = authenticate(request, username=email, password=request.POST.get("password", ""))
    if staff is None:
        raise Invalid(
            "login",
            Text("E-mail and password don't belong together. Try again.", "邮箱与密码不匹配，请重试。"),
            field="password",
        )
    attempts.succeeded(email=email, address=address)
    return staff


@never_cache
@require_safe
def session(request: HttpRequest) -> HttpResponse:
    """Whether one is logged in (else 401), asked by a page before it sends a form, which a redirect to the login would
    lose; and the token for its forms, which is another one after every login.
    """
    return JsonResponse({"token": get_token(request)}, status=200 if request.user.is_authenticated else 401)


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("frame:login")


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    response = back(request, "frame:home")
    code = languages.closest(request.POST.get("language", ""))
    response.set_cookie("regulars_language", code, max_age=366 * 86_400, samesite="Lax", secure=request.is_secure())
    return response


@page()
def me(request: ConsoleRequest) -> HttpResponse:
    """One's own password."""
    problem = None
    if request.method == "POST":
        try:
            _change_password(request)
        except Problem as fault:
            problem = fault
        else:
            toast(request, Text("Your password is changed.", "密码已修改。"))
            return redirect("frame:me")
    return render(request, "console/frame/me.html", {"problem": problem}, status=problem.status if problem else 200)


def _change_password(request: ConsoleRequest) -> None:
    staff = request.user
    assert staff.is_authenticated
    given = request.POST.get
    services.change_password(present=given("present", ""), password=given("password", ""), by=request.actor)
    staff.refresh_from_db()
    login(request, staff)  # the session would end with the old password


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return problem_response(
        request, Forbidden("forbidden", Text("This isn't open to you. Ask an admin.", "您没有权限，请联系管理员。"))
    )


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """`Regulars-Token` tells a page's script to fetch a token and try again: after a login elsewhere it is another."""
    response = problem_response(
        request,
        Forbidden(
            "csrf",
            Text(
                "This page was open too long or cookies are switched off. Go back, reload, and send again.",
                "页面停留过久，或浏览器禁用了 Cookie。请返回并刷新页面后重试。",
            ),
        ),
    )
    response["Regulars-Token"] = "stale"
    return response


_NOT_OUR_HOST = Text(
    "This server isn't asked for under this name. Whoever runs it adds the name to REGULARS_HOSTS (docs/settings.md).",
    "此服务器不接受以该域名访问。请管理员将该域名加入 REGULARS_HOSTS（见 docs/settings.md）。",
)
_MALFORMED = Text("The request can't be understood.", "无法理解该请求。")


def malformed(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Plain, as nothing of such a request is to be believed; most often this is a name that nobody has allowed."""
    text = _NOT_OUR_HOST if isinstance(exception, DisallowedHost) else _MALFORMED
    return HttpResponse(f"{text.en}\n{text.zh}\n", status=400, content_type="text/plain; charset=utf-8")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return problem_response(
        request,
        NotFound(
            "not_found",
            Text(
                "There is nothing at this address. It may have been merged or removed.",
                "该地址没有内容，可能已被合并或移除。",
            ),
        ),
    )


def broken(request: HttpRequest) -> HttpResponse:
    """Needs nothing that may be broken: no database, no session. Called while the exception is handled."""
    full = no_room(sys.exc_info()[1])
    said = (
        full.text
        if full
        else Text("Something broke on our side. Try again in a moment.", "系统出了点问题，请稍后再试。")
    )
    status = full.status if full else 500
    if request.headers.get("HX-Request"):
        response = HttpResponse(
            render_to_string("console/frame/_toast.html", {"toast": {"text": str(said), "kind": "fault"}}),
            status=status,
        )
        response["HX-Retarget"], response["HX-Reswap"] = "#toasts", "beforeend"
        return response
    return HttpResponse(
        render_to_string(
            "console/frame/broken.html", {"language": languages.current(), "theme": "auto", "full": full and full.text}
        ),
        status=status,
    )
