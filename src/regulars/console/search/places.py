"""What Ctrl-K finds besides customers: each kind asks little, by an index or of what is in the code.

A kind is a function from what was typed to places to go; it says itself who may see them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.urls import reverse
from django.utils.http import urlencode

from regulars import catalog
from regulars.accounts import queries as accounts
from regulars.accounts.actors import Actor
from regulars.analytics import lifecycle, metrics, rfm, traits
from regulars.console import explanations, formatting, navigation
from regulars.console.customers import saved
from regulars.console.customers.filters import NAMES
from regulars.customers import queries as customers
from regulars.imports import queries as imports
from regulars.jobs import queries as jobs
from regulars.kernel.languages import Text
from regulars.warehouse import queries as warehouse

LIMIT = 6
JOBS_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Place:
    text: str
    note: str
    url: str
    icon: str


# Figure → the page that shows it, and the query that chooses it there.
FIGURES: dict[str, tuple[str, str]] = {
    "revenue": ("insights:sales", "show=net"),
    "orders": ("insights:sales", "show=orders"),
    "buyers": ("insights:sales", "show=buyers"),
    "average_order": ("insights:sales", "show=average"),
    "new_and_returning": ("insights:sales", ""),
    "rfm_matrix": ("insights:rfm", ""),
    "rfm_groups": ("insights:rfm", ""),
    "stages": ("insights:lifecycle", ""),
    "stage_flow": ("insights:lifecycle", ""),
    "retention": ("insights:cohorts", ""),
    "second_order": ("insights:cohorts", ""),
    "time_between_purchases": ("insights:rhythm", ""),
    "warnings": ("insights:risk", ""),
    "nps": ("insights:voice", ""),
    "csat": ("insights:voice", ""),
}
# Page → what people call what they find there, besides its own name and its section's.
ALSO: dict[str, Text] = {
    "customers:list": Text("people, list, segment, export, download", "名单、人群、导出、下载"),
    "insights:sales": Text("revenue, turnover, orders", "营业额、销售额、订单"),
    "insights:cohorts": Text("retention, repeat", "留存、复购"),
    "insights:voice": Text("NPS, CSAT, surveys, satisfaction", "满意度、问卷"),
    "insights:risk": Text("churn, leaving", "流失、预警"),
    "imports:list": Text("upload, file, CSV, Excel", "上传、文件、表格"),
    "events:quarantine": Text("errors, faults, failed", "错误、失败"),
    "keys:list": Text("write key, token, SDK, tracking", "写入密钥、令牌、SDK、埋点"),
    "jobs:list": Text("tasks, progress", "后台任务、进度"),
    "settings:page": Text("country, currency, time zone, cut-offs, names", "国家、地区、货币、时区、阈值、名称"),
    "staff:list": Text("users, accounts, password, permissions", "用户、账号、密码、权限"),
    "audit:list": Text("log, who did what", "日志、操作记录"),
}
# Figure → what pages call it, or a part of it, besides.
CALLED: dict[str, Text] = {
    "revenue": Text("net revenue, net sales, sales", "净销售额、净额"),
    "buyers": Text("new buyers, customers who bought", "新客、购买人数"),
    "retention": Text("cohorts, come back", "同期群、回购"),
    "second_order": Text("repeat rate, second purchase", "复购率、二次购买"),
    "warnings": Text("at risk, about to leave", "即将流失、风险"),
}
# Figures of a customer → by which column their list sorts them.
SORTED = {"net": "net", "p_alive": "p_alive", "expected_value": "expected_value"}


def _said(text: Text | str, wanted: str) -> bool:
    """Whether what was typed is within the name, in either language."""
    names = (text,) if isinstance(text, str) else (text.en, text.zh)
    return any(wanted in name.casefold() for name in names)


def _begins(words: Text | None, wanted: str) -> bool:
    """Whether one of several words begins so."""
    return words is not None and any(
        word.casefold().startswith(wanted) for word in (*words.en.split(", "), *words.zh.split("、"))
    )


def _list(**filters: str) -> str:
    return f"{reverse('customers:list')}?{urlencode(filters)}"


def orders(typed: str, actor: Actor) -> Iterator[Place]:
    """By the exact number. The warehouse has no index of orders, so only what can be a number is looked for."""
    number = typed.removeprefix("#")
    if not actor.may("customers.view") or not 3 <= len(number) <= 80 or not any(map(str.isdigit, number)):
        return
    found = warehouse.customers.of_order(warehouse.snapshot(), number, limit=LIMIT)
    cards = customers.by_ids([customer for _, customer in found])
    for order, customer in found:
        if customer in cards:
            yield Place(order, str(cards[customer].title), reverse("customers:page", args=[customer]), "receipt")


def lists(typed: str, actor: Actor) -> Iterator[Place]:
    """Stages, groups, moods, tastes, stores, channels, tags and views: each leads to its customers."""
    if not actor.may("customers.view"):
        return
    wanted = typed.casefold()
    coded = {
        "stage": lifecycle.STAGES,
        "group": {key: explanations.group_text(key) for key in rfm.GROUPS},
        "mood": traits.MOODS,
        "taste": traits.TASTES,
    }
    for view in saved.views(by=actor, named=typed):
        note = Text("View", "视图") if view.staff_id == actor.id else Text("Shared view", "共享视图")
        yield Place(view.name, str(note), f"{reverse('customers:list')}?{view.query}", "bookmark")
    for name, texts in coded.items():
        for key, text in texts.items():
            if _said(text, wanted) or key.startswith(wanted):
                yield Place(str(text), str(NAMES[name]), _list(**{name: key}), "users-group")
    told = warehouse.customers.stores_and_channels(warehouse.snapshot())
    for name, icon in (("store", "building-store"), ("channel", "route")):
        for place in told[f"{name}s"]:
            if _said(place, wanted):
                yield Place(place, str(NAMES[name]), _list(**{name: place}), icon)
    for tag in customers.tag_names(prefix=typed, limit=LIMIT):
        yield Place(tag, str(NAMES["tag"]), _list(tag=tag), "tag")


def figures(typed: str, actor: Actor) -> Iterator[Place]:
    wanted = typed.casefold()
    if actor.may("insights.view"):
        pages = {entry.view: entry.text for section in navigation.SECTIONS for entry in section.entries}
        for key, (view, query) in FIGURES.items():
            name = metrics.METRICS[key].name
            if _said(name, wanted) or wanted == key or _begins(CALLED.get(key), wanted):
                page = pages.get(view) or pages[navigation.BELOW[view]]
                yield Place(str(name), str(page), reverse(view) + (f"?{query}" if query else ""), "chart-line")
    if actor.may("customers.view"):
        for key, column in SORTED.items():
            name = explanations.of(key).name
            if _said(name, wanted):
                yield Place(str(name), str(Text("Customers", "客户")), _list(sort=f"-{column}"), "users")


def pages(typed: str, actor: Actor) -> Iterator[Place]:
    """By their names, by their section's, or by what stands on them; those so named first."""
    wanted = typed.casefold()
    opened = navigation.entries_for(actor)
    under = {entry: section.text for section in navigation.SECTIONS for entry in section.entries}
    named = [entry for entry in opened if _said(entry.text, wanted)]
    about = [entry for entry in opened if _said(under[entry] or "", wanted) or _begins(ALSO.get(entry.view), wanted)]
    for entry in dict.fromkeys((*named, *about)):
        yield Place(str(entry.text), str(under[entry] or ""), reverse(entry.view), entry.icon)


def closed(typed: str, actor: Actor) -> list[Text]:
    """The names of pages that aren't open to the actor: told when nothing else is found, so that nobody looks on."""
    opened = navigation.entries_for(actor)
    every = (entry for section in navigation.SECTIONS for entry in section.entries)
    return [entry.text for entry in every if entry not in opened and _said(entry.text, typed.casefold())][:3]


def events(typed: str, actor: Actor) -> Iterator[Place]:
    """Kinds of events, by the name that programs send or the one that people read."""
    if not actor.may("events.view"):
        return
    for name, entry in catalog.CATALOG.items():
        if _said(name, typed.casefold()) or _said(entry.title, typed.casefold()):
            url = f"{reverse('events:live')}?{urlencode({'name': name})}"
            yield Place(str(entry.title), name if str(entry.title) != name else "", url, "activity")


def files(typed: str, actor: Actor) -> Iterator[Place]:
    if actor.may("imports.run"):
        for row in imports.imports(named=typed, limit=LIMIT):
            note = f"{imports.STATES[row.state]} · {formatting.day(row.created_at)}"
            yield Place(row.name, note, reverse("imports:page", args=[row.pk]), "file-import")


def work(typed: str, actor: Actor) -> Iterator[Place]:
    """One's own jobs, everybody's for those who may see them: the latest ones."""
    for job in jobs.jobs(by=actor, everybody=actor.may("jobs.view"), limit=JOBS_LOOKED_AT):
        if _said(job.title, typed.casefold()) or typed == job.id:
            note = f"{jobs.STATES[job.state]} · {formatting.ago(job.created_at)}"
            yield Place(str(job.title), note, reverse("jobs:page", args=[job.id]), "progress")


def team(typed: str, actor: Actor) -> Iterator[Place]:
    """Staff and keys, for those who manage them: there are few."""
    if actor.may("staff.edit"):
        for person in accounts.staff():
            if _said(person.name, typed.casefold()) or _said(person.email, typed.casefold()):
                yield Place(person.name, person.email, reverse("staff:list"), "user-cog")
    if actor.may("keys.edit"):
        made = [(key.name, key.created_at) for key in accounts.write_keys()]
        made += [(key.name, key.created_at) for key in accounts.api_keys()]
        for name, at in made:
            if _said(name, typed.casefold()):
                yield Place(name, formatting.day(at), reverse("keys:list"), "key")


KINDS: tuple[tuple[str, Text, Callable[[str, Actor], Iterator[Place]]], ...] = (
    ("orders", Text("Orders", "订单"), orders),
    ("lists", Text("Lists of customers", "客户列表"), lists),
    ("figures", Text("Figures", "指标"), figures),
    ("pages", Text("Pages", "页面"), pages),
    ("events", Text("Events", "事件"), events),
    ("team", Text("Staff and keys", "员工与密钥"), team),
    ("imports", Text("Imports", "导入"), files),
    ("jobs", Text("Jobs", "任务"), work),
)
