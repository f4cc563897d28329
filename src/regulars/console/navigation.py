"""The left side: by what people do. An entry is shown to those whose role may see its page.

An area adds its pages here, and its urls in console/urls.py; nothing else has to know of it.
"""

from dataclasses import dataclass

from django.urls import reverse

from regulars.accounts.actors import Actor
from regulars.kernel.languages import Text


@dataclass(frozen=True, slots=True)
class Entry:
    """`view` is "area:name". Any of the capabilities lets it be seen; none named: everybody."""

    view: str
    text: Text
    icon: str
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    text: Text | None
    entries: tuple[Entry, ...]


# Whoever may start none has no jobs of their own to look at; the page itself stays open to everybody.
STARTING_JOBS = ("imports.run", "customers.export", "quarantine.repair", "settings.edit", "jobs.view")

SECTIONS: tuple[Section, ...] = (
    Section(
        None,
        (
            Entry("overview:page", Text("Overview", "总览"), "layout-dashboard", ("insights.view",)),
            Entry("customers:list", Text("Customers", "客户"), "users", ("customers.view",)),
        ),
    ),
    Section(
        Text("Insights", "洞察"),
        (
            Entry("insights:sales", Text("Sales", "销售"), "chart-line", ("insights.view",)),
            Entry("insights:rfm", Text("RFM groups", "RFM 分组"), "grid-4x4", ("insights.view",)),
            Entry("insights:lifecycle", Text("Lifecycle", "生命周期"), "arrows-right-left", ("insights.view",)),
            Entry("insights:cohorts", Text("Cohorts", "同期群留存"), "stairs-down", ("insights.view",)),
            Entry("insights:voice", Text("Voice", "客户之声"), "message-circle", ("insights.view",)),
            Entry("insights:risk", Text("At risk", "流失风险"), "alert-triangle", ("insights.view",)),
        ),
    ),
    Section(
        Text("Data", "数据"),
        (
            Entry("imports:list", Text("Imports", "导入"), "file-import", ("imports.run",)),
            Entry("events:live", Text("Live events", "实时事件"), "activity", ("events.view",)),
            Entry("events:quarantine", Text("Quarantine", "隔离区"), "shield-exclamation", ("quarantine.repair",)),
            Entry("events:catalogue", Text("Event catalogue", "事件目录"), "book-2", ("events.view",)),
            Entry("keys:list", Text("Keys and API", "密钥与 API"), "key", ("keys.edit",)),
            Entry("webhooks:list", Text("Webhooks", "Webhook"), "webhook", ("webhooks.edit",)),
            Entry("jobs:list", Text("Jobs", "任务"), "progress", STARTING_JOBS),
        ),
    ),
    Section(
        Text("Settings", "设置"),
        (
            Entry("settings:page", Text("Business", "企业设置"), "settings", ("settings.edit",)),
            Entry("staff:list", Text("Staff and roles", "员工与角色"), "user-cog", ("staff.edit",)),
            Entry("audit:list", Text("Audit trail", "审计记录"), "history", ("audit.view",)),
        ),
    ),
)


# A page below another than the first of its area.
BELOW = {"insights:rhythm": "insights:cohorts", "insights:lost": "insights:risk"}


@dataclass(frozen=True, slots=True)
class Shown:
    text: Text
    icon: str
    url: str
    active: bool


def entries_for(actor: Actor) -> list[Entry]:
    """Every page that the actor may open from the navigation."""
    return [
        entry
        for section in SECTIONS
        for entry in section.entries
        if (not entry.capabilities or any(map(actor.may, entry.capabilities)))
    ]


def shown_to(actor: Actor, view: str) -> list[tuple[Text | None, list[Shown]]]:
    """The sections with their entries; active is the page `view`, or for a page below, the first of its area."""
    entries = entries_for(actor)
    view = BELOW.get(view, view)
    area = view.partition(":")[0]
    here = next((e for e in entries if e.view == view), None)
    here = here or next((e for e in entries if e.view.partition(":")[0] == area), None)
    sections = [
        (
            section.text,
            [
                Shown(e.text, e.icon, reverse(e.view), e is here)
                for e in section.entries
                if any(e is known for known in entries)
            ],
        )
        for section in SECTIONS
    ]
    return [(text, shown) for text, shown in sections if shown]
