"""What changed, who is about to leave, and what to do next."""

from dataclasses import dataclass

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode

from regulars.accounts.actors import Actor
from regulars.analytics import lifecycle
from regulars.console import charts, explanations, formatting
from regulars.console.customers.filters import asked, between_days
from regulars.console.customers.page import reasons
from regulars.console.requests import ConsoleRequest, page
from regulars.customers.queries import by_ids
from regulars.eventlog import queries as log
from regulars.kernel import languages
from regulars.kernel.languages import Text
from regulars.warehouse import queries
from regulars.warehouse.queries.customers import Filters

PERIODS: dict[str, tuple[int, Text, Text]] = {
    "7": (7, Text("7 days", "7 天"), Text("the week before", "前一周")),
    "28": (28, Text("28 days", "28 天"), Text("the 28 days before", "前 28 天")),
    "90": (90, Text("90 days", "90 天"), Text("the 90 days before", "前 90 天")),
}
FIGURES: tuple[tuple[str, Text, str, charts.Unit, str], ...] = (
    ("net", Text("Net revenue", "净销售额"), "net_revenue", "money", "up"),
    ("orders", Text("Orders", "订单数"), "orders", "number", "up"),
    ("buyers", Text("Buyers", "购买客户数"), "buyers", "number", "up"),
    ("new_buyers", Text("New buyers", "新客"), "new_buyers", "number", "up"),
    ("average_order", Text("Average order", "客单价"), "average_order", "money", "up"),
)
SHORT = 5
GOOD = ("champions", "loyal", "needs_attention")  # the groups whose customers are called first
MAY_COME = 50  # the chance, in percent, from which on somebody asleep may still come


@dataclass(frozen=True, slots=True)
class Step:
    """Something worth doing today: a sentence with its figures, and where to do it."""

    icon: str
    text: Text
    why: Text
    url: str
    about: explanations.About | None = None  # who is meant


@page(capability="insights.view")
def overview(request: ConsoleRequest) -> HttpResponse:
    period = request.GET.get("period", "7")
    period = period if period in PERIODS else "7"
    days, _, before = PERIODS[period]
    moment = queries.snapshot()
    if not moment.version:
        arrived = log.last_position() > 0
        context = {"moment": moment, "own": formatting.business(), "arrived": arrived}
        return render(request, "console/overview/first.html", context)
    figures = queries.overview.figures(moment, days=days)
    series = queries.overview.series(moment, days=2 * days)
    risk = queries.risk.totals(moment)
    leaving = queries.customers.page(moment, filters=Filters(leaving=True), sort="net", limit=SHORT).rows
    begun = queries.overview.whole_days(moment, days=days)
    first = urlencode({"first": between_days(*begun), "sort": "-first_day"})
    new = asked(QueryDict(first)).filters()
    fresh = queries.customers.page(moment, filters=new, sort="first_day", limit=SHORT).rows
    lost = queries.customers.page(moment, filters=Filters(stages=("lost",)), sort="last_day", limit=SHORT).rows
    urls = {key: _sales(period, key) for key in ("net", "orders", "average_order")}
    if request.actor.may("customers.view"):
        bought = urlencode({"since": begun[0].isoformat(), "until": begun[1].isoformat()})
        people = reverse("customers:list")
        urls |= {"buyers": f"{people}?{bought}", "new_buyers": f"{people}?{first}"}
    else:
        urls |= dict.fromkeys(("buyers", "new_buyers"), _sales(period, "buyers"))
    context = {
        "moment": moment,
        "today": queries.overview.today(moment),
        "notices": queries.notices(moment),
        "period": period,
        "periods": [(key, text) for key, (_, text, _) in PERIODS.items()],
        "before": before,
        "figures": [
            (figures[key], text, about, unit, good, _spark(series[-days:], key, text, unit), urls[key])
            for key, text, about, unit, good in FIGURES
        ],
        "revenue": _revenue(series, days, before),
        "stages": _stages(moment),
        "steps": _steps(moment, risk, request.actor),
        "leaving": [(row, ("" if languages.current() == "zh-hans" else " ").join(reasons(row))) for row in leaving],
        "fresh": fresh,
        "first": first,
        "lost": lost,
        "cards": by_ids([row.customer_id for row in (*leaving, *fresh, *lost)]),
    }
    return render(request, "console/overview/page.html", context)


def _sales(period: str, key: str) -> str:
    """The page that shows the figure of the period by day and by what was sold."""
    show = {"average_order": "average"}.get(key, key)
    return f"{reverse('insights:sales')}?{urlencode({'period': period, 'show': show})}"


def _spark(series: list[queries.overview.Day], key: str, text: Text, unit: charts.Unit) -> charts.Chart | None:
    if key == "average_order":
        return charts.spark(str(text), [day.net // day.orders if day.orders else None for day in series], unit=unit)
    return charts.spark(str(text), [getattr(day, key) for day in series], unit=unit)


def _revenue(series: list[queries.overview.Day], days: int, before: Text) -> charts.Chart:
    now, then = series[-days:], series[:-days]
    return charts.lines(
        str(Text("Net revenue by day", "每日净销售额")),
        [formatting.day(day.day) for day in now],
        [
            (str(Text("this period", "本期")), [day.net for day in now], "@accent"),
            (str(before), [day.net for day in then], "@quiet"),
        ],
        unit="money",
        height=240,
        first=str(Text("Day", "日期")),
    )


def _stages(moment: queries.Snapshot) -> charts.Chart:
    found = queries.lifecycle.stages(moment)
    title = str(Text("Customers by stage", "各阶段客户数"))
    chart = charts.bars(
        title,
        [str(lifecycle.STAGES[stage.key]) for stage in found],
        [(title, [stage.customers for stage in found], "@accent")],
        sideways=True,
        height=240,
        urls=[[f"{reverse('customers:list')}?stage={stage.key}" for stage in found]],
        first=str(Text("Stage", "阶段")),
    )
    for item, stage in zip(chart.option["series"][0]["data"], found, strict=True):
        item["itemStyle"] = {"color": f"@stage-{stage.key}"}
    return chart


def _listed(moment: queries.Snapshot, query: str) -> int:
    """How many customers the list of this address shows."""
    return queries.customers.count(moment, filters=asked(QueryDict(query)).filters())


def _step(icon: str, text: Text, count: int, why: Text, query: str, about: explanations.About) -> Step:
    return Step(icon, text.filled(n=formatting.number(count)), why, f"{reverse('customers:list')}?{query}", about)


def _good() -> explanations.About:
    names = [explanations.group_text(group) for group in GOOD]
    risk = explanations.of("risk").text
    text = Text(
        "Good customers are those in the RFM groups {groups}. Slipping away are those among them who are warned of and "
        "not lost. {risk}",
        "好客户指 RFM 分组为{groups}的客户；正在疏远，指其中已触发流失预警、尚未流失的客户。{risk}",
    ).filled(groups=Text(", ".join(n.en for n in names), "、".join(f"“{n.zh}”" for n in names)), risk=risk)
    return explanations.About(Text("Good customers who are slipping away", "正在疏远的好客户"), text)


def _may_come() -> explanations.About:
    text = Text(
        "Dormant customers with at least two orders whose probability of coming back is {least} % or more. {chance}",
        "至少有两笔订单、仍会光顾的概率不低于 {least}% 的沉睡客户。{chance}",
    ).filled(least=MAY_COME, chance=explanations.of("p_alive").text)
    return explanations.About(Text("Dormant customers who may still come", "仍可能回来的沉睡客户"), text)


def _steps(moment: queries.Snapshot, risk: queries.risk.Totals, actor: Actor) -> list[Step]:
    """In order of what it is worth."""
    steps = []
    groups = [("group", group) for group in GOOD]
    good = urlencode([("risk", "1"), *groups, ("sort", "-net")])
    if best := _listed(moment, good):
        text = Text("Call {n} good {n:customer who is|customers who are} slipping away", "联系 {n} 位正在疏远的好客户")
        why = Text("Everybody at risk together brought {net}.", "全部有流失风险的客户累计消费 {net}。").filled(
            net=formatting.money(risk.net, whole=True)
        )
        steps.append(_step("phone-call", text, best, why, good, _good()))
    fresh = "stage=new&sort=-last_day"
    if new := _listed(moment, fresh):
        text = Text("Invite {n} new {n:customer|customers} to come again", "邀请 {n} 位新客再次光顾")
        why = Text("The second visit makes a regular.", "第二次光顾最能留住客户。")
        steps.append(_step("calendar-heart", text, new, why, fresh, explanations.of("stage")))
    asleep = f"stage=dormant&chance_min={MAY_COME}&orders_min=2&sort=-expected_value"
    if dormant := _listed(moment, asleep):
        text = Text("Wake {n} dormant {n:customer|customers} who may still come", "唤醒 {n} 位仍可能回来的沉睡客户")
        why = Text("More likely than not they haven't left for good.", "他们多半还没有真正离开。")
        steps.append(_step("bell-ringing", text, dormant, why, asleep, _may_come()))
    if gone := queries.lifecycle.newly_lost(moment):
        text = Text(
            "Find out why {n} {n:customer was|customers were} lost this month", "了解本月流失的 {n} 位客户为何离开"
        ).filled(n=formatting.number(gone))
        why = Text("What they said, complained of and gave back.", "看看他们的评价、投诉与退款。")
        steps.append(Step("message-question", text, why, reverse("insights:lost"), explanations.of("stage")))
    if actor.may("quarantine.repair") and (waiting := log.in_quarantine()):
        text = Text("Repair {n} {n:event|events} in quarantine", "修复隔离区中的 {n} 个事件")
        why = Text("Until then they are in no figure.", "修复之前，它们不计入任何数字。")
        text = text.filled(n=formatting.number(waiting))
        steps.append(Step("shield-exclamation", text, why, reverse("events:quarantine")))
    return steps
