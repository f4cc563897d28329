"""`{% load regulars %}`: figures, times, icons and the small parts that every page is made of."""

import json
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django import template
from django.contrib.staticfiles import finders
from django.http import QueryDict
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from regulars import catalog
from regulars.console import background, explanations, formatting
from regulars.console.charts import Chart
from regulars.kernel.errors import Problem
from regulars.kernel.languages import Text

register = template.Library()

register.filter("number", formatting.number)
register.filter("percent", formatting.percent)
register.filter("day", formatting.day)
register.filter("month", formatting.month)
register.filter("language", formatting.language)
register.filter("moment", formatting.moment)
register.filter("work", background.work)
register.filter("process", background.process)
register.filter("channel", explanations.channel_text)
register.filter("subscriber", background.subscriber)


@register.filter
def coded(text: Text | str) -> SafeString:
    """A sentence with the names between its backticks set as code."""
    parts = [
        format_html("<code>{}</code>" if place % 2 else "{}", part) for place, part in enumerate(str(text).split("`"))
    ]
    return mark_safe("".join(parts))  # noqa: S308 (every part is escaped)


@register.filter
def money(minor: int | None) -> str:
    """Minor units to ¥1,234.56."""
    return formatting.money(minor)


@register.filter
def money_whole(minor: int | None) -> str:
    """Minor units to ¥1,235."""
    return formatting.money(minor, whole=True)


@register.filter
def ago(at: datetime | int | None) -> SafeString:
    """A relative time with the exact one on hover."""
    if at in (None, ""):
        return format_html("{}", formatting.NOTHING)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        formatting.local(at).isoformat(timespec="seconds"),
        formatting.moment(at, seconds=True),
        formatting.ago(at),
    )


@register.filter
def exact(at: datetime | int | None) -> SafeString:
    """The exact time, machine-readable too."""
    if at in (None, ""):
        return format_html("{}", formatting.NOTHING)
    return format_html(
        '<time datetime="{}">{}</time>', formatting.local(at).isoformat(timespec="seconds"), formatting.moment(at)
    )


@register.filter
def iso(at: datetime | int) -> str:
    """For a datetime attribute."""
    return formatting.local(at).isoformat(timespec="seconds")


@register.filter
def clock(at: datetime | int) -> str:
    """The time of day, under a heading that says the day."""
    return f"{formatting.local(at):%H:%M}"


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """mapping[key] or nothing."""
    return mapping.get(key) if hasattr(mapping, "get") else None


@register.filter
def pretty(value: Any) -> str:
    """JSON to read."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


_UP = Text("up {by} on the period before", "较前期上升 {by}")
_DOWN = Text("down {by} on the period before", "较前期下降 {by}")
_SAME = Text("unchanged on the period before", "与前期持平")
_NEW = Text("nothing in the period before", "前期没有数据")


@register.simple_tag
def change(now: float | None, before: float | None, good: str = "up") -> SafeString:
    """The change against the period before with direction and size; `good` is "up", "down" or "none"."""
    if now is None or before is None:
        return mark_safe("")
    if before == 0:
        text = _SAME if now == 0 else _NEW
        return format_html('<span class="change" title="{}">{}</span>', text, formatting.NOTHING)
    share = (now - before) / abs(before)
    by = formatting.percent(abs(share))
    if by == formatting.percent(0):
        return format_html('<span class="change" title="{}">± 0</span>', _SAME)
    rose = share > 0
    colour = "" if good == "none" else "good" if rose == (good == "up") else "bad"
    said = (_UP if rose else _DOWN).filled(by=by)
    return format_html(
        '<span class="change {}" title="{}"><span aria-hidden="true">{}</span> {}'
        '<span class="visually-hidden">{}</span></span>',
        colour, said, "↑" if rose else "↓", by, said,
    )  # fmt: skip


@lru_cache(maxsize=1)
def _sprite() -> str:
    found = finders.find("icons/tabler-sprite.svg")
    return Path(str(found)).read_text() if found else ""


@lru_cache(maxsize=512)
def _shape(name: str) -> str:
    _, _, rest = _sprite().partition(f'<symbol id="tabler-{name}" ')
    return rest[rest.find(">") + 1 : rest.find("</symbol>")] if rest else ""


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """One shape of Tabler's set, in the page itself: no request for the two megabytes of all. Hidden from readers."""
    return format_html(
        '<svg class="icon {}" viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" '
        'stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{}</svg>',
        classes,
        mark_safe(_shape(name)),  # noqa: S308  (from the installed package)
    )


@register.inclusion_tag("console/frame/_explained.html")
def explained(key: str) -> dict[str, Any]:
    """An (i) that says what a figure means: its metric's definition, formula and edge cases."""
    return {"about": explanations.of(key)}


@register.inclusion_tag("console/frame/_chart.html")
def chart(chart: Chart) -> dict[str, Any]:
    """The picture, and the same figures as a table that opens under it."""
    return {"chart": chart}


@register.inclusion_tag("console/frame/_spark.html")
def spark(chart: Chart) -> dict[str, Any]:
    return {"chart": chart}


@register.inclusion_tag("console/frame/_empty.html")
def empty(title: str, text: str = "", icon: str = "inbox", url: str = "", action: str = "") -> dict[str, Any]:
    """Nothing here yet: what it is, and what to do next."""
    return {"title": title, "text": text, "icon": icon, "url": url, "action": action}


@register.inclusion_tag("console/frame/_stage.html")
def stage(key: str | None) -> dict[str, Any]:
    """A stage of a customer's life, always in its colour."""
    return {"key": key, "text": explanations.stage_text(key) if key else ""}


@register.inclusion_tag("console/frame/_group.html")
def group(key: str | None) -> dict[str, Any]:
    """An RFM group under the business's own name for it."""
    return {"key": key, "text": explanations.group_text(key) if key else ""}


@register.simple_tag
def event_title(name: str) -> str:
    """What people call the event; its own name where the catalogue hasn't it."""
    return str(catalog.title(name))


_FACES = {"happy": "mood-smile", "neutral": "mood-neutral", "unhappy": "mood-sad"}


@register.simple_tag
def mood(key: str | None) -> SafeString:
    """A face in the colour of its meaning, and its word."""
    if key not in _FACES:
        return mark_safe("")
    return format_html(
        '<span class="mood mood-{}" title="{}">{}<span>{}</span></span>', key, explanations.mood_text(key),
        icon(_FACES[key]), explanations.mood_text(key),
    )  # fmt: skip


_SOURCES: dict[str, Text] = {
    "track": Text("Tracking", "跟踪 SDK"),
    "api": Text("API", "API"),
    "import": Text("Import", "导入"),
    "service": Text("Console and API", "控制台与 API"),
    "demo": Text("Demo", "演示数据"),
}


@register.simple_tag
def source(given: str, keys: dict[str, str]) -> str:
    """Where an event came from: "Tracking · web shop", "Import 12"; `keys` are names of keys by source."""
    kind, _, id = given.partition(":")
    said = str(_SOURCES.get(kind, given))
    return f"{said} · {keys[given]}" if given in keys else f"{said} {id}".strip()


@register.simple_tag
def taste(key: str | None) -> Text | str:
    return explanations.taste_text(key) if key else ""


@register.simple_tag
def fault(problem: Problem | None, field: str) -> SafeString:
    """What is wrong with this field, under it (id "fault-<field>")."""
    found = problem.at(field) if problem else None
    if found is None:
        return mark_safe("")
    return format_html('<div class="invalid-feedback d-block" id="fault-{}" role="alert">{}</div>', field, found.text)


@register.simple_tag
def invalid(problem: Problem | None, field: str, hint: str = "") -> SafeString:
    """Attributes for the input of a field that is wrong; put inside its tag, with the id of the hint that it has. Of
    several with autofocus a browser takes the first on the page.
    """
    if problem is None or problem.at(field) is None:
        return format_html(' aria-describedby="{}"', hint) if hint else mark_safe("")
    return format_html(' aria-invalid="true" aria-describedby="{}" autofocus', f"fault-{field} {hint}".strip())


@register.simple_tag(takes_context=True)
def query(context: Context, **changes: Any) -> str:
    """The present address's query with changes (None takes a name out); always starts again at the first page."""
    given: QueryDict = context["request"].GET.copy()
    for name in ("after", "before"):
        given.pop(name, None)
    for name, value in changes.items():
        if value is None or value == "":
            given.pop(name, None)
        else:
            given[name] = str(value)
    return "?" + given.urlencode()


@register.inclusion_tag("console/frame/_pager.html", takes_context=True)
def pager(context: Context, following: str | int | None) -> dict[str, Any]:
    """Key pagination: to the first page and to the page that follows the key `following` (`after` in the address)."""
    given = context["request"].GET
    return {
        "first": query(context) if given.get("after") else "",
        "following": query(context, after=following) if following not in (None, "") else "",
    }
