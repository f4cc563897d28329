"""What was done, said in a corner, with a way to undo it. Survives a redirect; htmx answers carry it along.

`toast(request, Text("Tag removed.", "已移除标签。"), undo=reverse("customers:tag", args=[7]), fields={"tag": "vip"})`
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from regulars.kernel.languages import Text


def toast(
    request: HttpRequest,
    text: Text,
    *,
    kind: Literal["done", "note", "fault"] = "done",
    undo: str = "",
    fields: Mapping[str, object] | None = None,
    link: str = "",
    link_text: Text | None = None,
    about: str = "",
) -> None:
    """Say `text` on this or the next page. `undo` is an address to which `fields` are posted; `link` leads on. `about`
    names what was changed: what was said about it before goes away, for its undo would no longer be one.
    """
    said = {
        "text": str(text),
        "kind": kind,
        "undo": undo,
        "fields": {name: str(value) for name, value in (fields or {}).items()},
        "link": link,
        "link_text": str(link_text or ""),
        "about": about,
    }
    messages.info(request, json.dumps(said, ensure_ascii=False))


def pending(request: HttpRequest) -> list[dict[str, Any]]:
    """Those not shown yet; they count as shown from now on."""
    return [json.loads(str(message)) for message in messages.get_messages(request)]


def along(request: HttpRequest, response: HttpResponse) -> None:
    """Put what is pending under an htmx fragment, out of band."""
    shown = response.status_code < 300 and response.get("Content-Type", "").startswith("text/html")
    if shown and not any(response.has_header(name) for name in ("HX-Redirect", "HX-Refresh", "HX-Location")):
        waiting = pending(request)
        if waiting:
            said = render_to_string("console/frame/_toasts_along.html", {"toasts": waiting}, request)
            response.content += said.encode()
