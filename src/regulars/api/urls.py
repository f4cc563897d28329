"""The addresses of the API."""

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from regulars.api import problems, wording
from regulars.api.application import api
from regulars.kernel import languages
from regulars.kernel.languages import Text

_TITLE = Text("The API of Regulars", "熟客 API 文档")
_HOME = Text("Regulars", "熟客")


def documentation(request: HttpRequest) -> HttpResponse:
    """The description to read and try out, in the language asked for by ?lang= or else as everywhere; scripts and
    styles are this site's own files.
    """
    wanted = request.GET.get("lang", "")
    language = languages.closest(wanted) if wanted else languages.current()
    chinese = language == "zh-hans"
    description = json.loads(json.dumps(api.get_openapi_schema(path_prefix="/api/v1/"), default=str))
    context = {
        "lang": "zh-Hans" if chinese else "en",
        "title": _TITLE.in_language(language),
        "home": _HOME.in_language(language),
        "other": "en" if chinese else "zh-Hans",
        "other_name": languages.NAMES["en" if chinese else "zh-hans"],
        "labels": wording.LABELS if chinese else {},
        "description": wording.in_language(description, language),
    }
    response = render(request, "api/docs.html", context)
    response["Content-Language"] = context["lang"]
    return response


@csrf_exempt
def nowhere(request: HttpRequest) -> HttpResponse:
    return problems.answer(404, "not_found", problems.NO_PLACE)


urlpatterns = [
    path("docs", documentation, name="api-docs"),
    path("v1/", api.urls),
    re_path(r"", nowhere),
]
