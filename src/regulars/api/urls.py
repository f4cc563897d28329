"""The addresses of the API."""

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from regulars.api import problems
from regulars.api.application import api


def documentation(request: HttpRequest) -> HttpResponse:
    """The description to read and try out; scripts and styles are this site's own files."""
    return api.docs.render_page(request, api)


@csrf_exempt
def nowhere(request: HttpRequest) -> HttpResponse:
    return problems.answer(404, "not_found", problems.NO_PLACE)


urlpatterns = [
    path("docs", documentation, name="api-docs"),
    path("v1/", api.urls),
    re_path(r"", nowhere),
]
