"""What happens to every request of the console: its language, and faults told as a page instead of a trace."""

from collections.abc import Callable

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils import translation

from regulars.accounts.queries import actor_of
from regulars.console import formatting, toasts
from regulars.kernel import languages
from regulars.kernel.errors import Problem, no_room
from regulars.kernel.languages import Text

Answer = Callable[[HttpRequest], HttpResponse]

# Scripts come from this site's files only. Styles may stand in the page: ECharts' tooltips and progress bars use them.
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


_NOT_ALLOWED = Text(
    "This address takes what a form sends; there is no page here to read.",
    "此地址只接收表单提交的内容，没有可查看的页面。",
)


class _NotAllowed(Problem):
    status = 405


def language(answer: Answer) -> Answer:
    """The person's choice (cookie), else the browser's wish; the same for templates (gettext) and Text."""

    def middleware(request: HttpRequest) -> HttpResponse:
        wanted = request.COOKIES.get("regulars_language") or request.headers.get("Accept-Language", "")
        code = languages.closest(wanted)
        languages.use(code)
        formatting.forget_business()
        with translation.override(code):
            request.LANGUAGE_CODE = code
            response = answer(request)
            response.headers.setdefault("Content-Language", "zh-Hans" if code == "zh-hans" else "en")
            return response

    return middleware


def faults(answer: Answer) -> Answer:
    """A Problem raised by a service becomes a page (or a fragment for htmx) that says what to do."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = answer(request)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            allowed = response["Allow"]
            response = problem_response(request, _NotAllowed("method", _NOT_ALLOWED))
            response["Allow"] = allowed
        if request.headers.get("HX-Request") and hasattr(request, "_messages"):
            toasts.along(request, response)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    middleware.process_exception = _told  # type: ignore[attr-defined]
    return middleware


def _told(request: HttpRequest, fault: Exception) -> HttpResponse | None:
    problem = fault if isinstance(fault, Problem) else no_room(fault)
    return problem_response(request, problem) if problem else None


def problem_response(request: HttpRequest, problem: Problem) -> HttpResponse:
    """A page of its own; for htmx a toast over the page, where what was typed stays."""
    if not hasattr(request, "actor") and not isinstance(getattr(request, "user", AnonymousUser()), AnonymousUser):
        request.actor = actor_of(request.user)  # type: ignore[attr-defined, arg-type]
    if request.headers.get("HX-Request"):
        said = {"text": str(problem.text), "kind": "fault"}
        response = render(request, "console/frame/_toast.html", {"toast": said}, status=problem.status)
        response["HX-Retarget"], response["HX-Reswap"] = "#toasts", "beforeend"
        return response
    return render(request, "console/frame/fault.html", {"problem": problem}, status=problem.status)
