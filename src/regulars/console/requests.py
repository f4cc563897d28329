"""Who asks, and may they: the door that every view of the console stands behind.

Views hold no logic: they call a service or a query and render. `request.actor` is whom services act for.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, cast
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django_htmx.middleware import HtmxDetails

from regulars.accounts.actors import Actor
from regulars.accounts.queries import actor_of
from regulars.kernel.languages import Text


class ConsoleRequest(HttpRequest):
    """A request of a person who has logged in."""

    actor: Actor
    htmx: HtmxDetails


View = Callable[..., HttpResponse]

LOGGED_OUT = Text("You have been logged out. Log in again.", "登录已失效，请重新登录。")


def page(*, capability: str | None = None) -> Callable[[View], View]:
    """Only for people who have logged in and, where one is named, have the capability (Forbidden otherwise)."""

    def standing(view: View) -> View:
        @wraps(view)
        def behind_the_door(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return _to_log_in(cast(ConsoleRequest, request))
            actor = actor_of(request.user)
            request.actor = actor  # type: ignore[attr-defined]
            if capability:
                actor.require(capability)
            if any(isinstance(value, int) and value >= 2**63 for value in kwargs.values()):
                raise Http404  # no database holds such a number
            return view(request, *args, **kwargs)

        behind_the_door.capability = capability  # type: ignore[attr-defined]  # for the test that tries every door
        return behind_the_door

    return standing


def _to_log_in(request: ConsoleRequest) -> HttpResponse:
    """The page that sent this keeps what was typed and asks to log in (console.js); without scripts the login does, and
    leads back to that page: what a form sends to is no address to read.
    """
    if request.htmx:
        return HttpResponse(str(LOGGED_OUT), status=401)
    if request.method in ("GET", "HEAD"):
        return redirect_to_login(request.get_full_path())
    came = request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(came, {request.get_host()}, require_https=request.is_secure())
    page = str(urlsplit(came)._replace(scheme="", netloc="", fragment="").geturl()) if ours else ""
    return HttpResponseRedirect(f"{resolve_url('frame:login')}?{urlencode({'next': page or '/', 'ended': '1'})}")


def back(request: HttpRequest, otherwise: str, *args: Any) -> HttpResponseRedirect:
    """To the page that the form names in `next` (of this site only), or to the view `otherwise`."""
    wanted = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        wanted = resolve_url(otherwise, *args)
    return HttpResponseRedirect(wanted)


def number(text: str | None) -> int | None:
    """A whole number out of an address that a database can hold, or None: addresses are typed and cut, and that is no
    fault to report.
    """
    try:
        found = int(text or "")
    except ValueError:
        return None
    return found if abs(found) < 2**63 else None


def numbers(texts: Iterable[str]) -> list[int]:
    """Those that are such numbers."""
    return [found for found in map(number, texts) if found is not None]
