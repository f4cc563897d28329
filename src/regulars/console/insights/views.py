"""The insight pages: each asks one snapshot, draws the picture first, the table under it, and leads to the people."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode

from regulars.analytics import lifecycle as stages
from regulars.analytics import rfm as groups
from regulars.console import charts, formatting
from regulars.console.customers.filters import between_days
from regulars.console.requests import page
from regulars.customers.queries import by_ids
from regulars.kernel import clock
from regulars.kernel.languages import Text
from regulars.warehouse import queries
from regulars.warehouse.queries.customers import Filters
from regulars.warehouse.queries.sales import Dimension

PERIODS: dict[str, tuple[int | None, Text]] = {
    "7": (7, Text("7 days", "7 天")),
    "28": (28, Text("28 days", "28 天")),
    "90": (90, Text("90 days", "90 天")),
    "365": (365, Text("One year", "一年")),
    "all": (None, Text("All", "全部")),
}
DIMENSIONS: dict[Dimension, Text] = {
    "store": Text("Store", "门店"),
    "channel": Text("Channel", "渠道"),
    "category": Text("Category", "品类"),
    "product": Text("Product", "商品"),
}
NOT_GIVEN: dict[Dimension, Text] = {
    "store": Text("No store, such as online orders", "无门店（如线上订单）"),
    "channel": Text("Channel not given", "未注明渠道"),
    "category": Text("Category not given", "未注明品类"),
    "product": Text("Product not given", "未注明商品"),
}
SHOWN: dict[str, tuple[Text, charts.Unit]] = {
    "net": (Text("Net revenue", "净销售额"), "money"),
    "orders": (Text("Orders", "订单数"), "number"),
    "buyers": (Text("Buyers", "购买客户数"), "number"),
    "average": (Text("Average order", "客单价"), "money"),
}
METRIC = {"net": "net_revenue", "average": "average_order"}  # whose definition explains it; else that of the same name
NPS = (Text("Promoters", "推荐者"), Text("Passives", "中立者"), Text("Detractors", "贬损者"))
CSAT = (Text("Satisfied", "满意"), Text("Not satisfied", "不满意"))
REASONS: dict[queries.risk.Reason, Text] = {
    "silent": Text("Silent for long", "久未互动"),
    "spend": Text("Spending less", "消费下降"),
    "overdue": Text("Overdue by own rhythm", "超出自身节奏"),
}


HINTS: dict[queries.losses.Hint, Text] = {
    "complaint": Text("Complained", "有投诉"),
    "refund": Text("Gave something back", "有退款"),
    "unhappy": Text("Gave a low score", "打过低分"),
    "none": Text("Nothing known", "没有线索"),
}


def people(**filters: str | int | list[str]) -> str:
    """The address of the list of the customers with these filters."""
    return f"{reverse('customers:list')}?{urlencode(filters, doseq=True)}"


def _days(since: int | None, until: int | None, *, of: str = "") -> dict[str, str]:
    """Two days as an address says them; `of`: what they are of, "" for purchases."""
    return {
        f"{of}{name}": clock.day_of(day).isoformat()
        for name, day in (("since", since), ("until", until))
        if day is not None
    }


FEW_SCORED = 50
MOST_BARS = 20
"""In a chart of parts; the table has all of them."""


def _who_bought(since: int | None, until: int | None, **more: str) -> str:
    """The customers counted as buyers of these days."""
    return people(**_days(since, until), **more)


def _first(since: int | None, until: int | None) -> dict[str, str]:
    """Whose first purchase was between these days; anybody's for a period without a beginning."""
    if since is None or until is None:
        return {}
    return {"first": between_days(clock.day_of(since), clock.day_of(until))}


def _span(grain: str, key: int) -> tuple[int, int]:
    """First and last day of a bucket of sales."""
    if grain != "month":
        return key, key + (6 if grain == "week" else 0)
    first, after = (date(month // 12, month % 12 + 1, 1) for month in (key, key + 1))
    return clock.day_number(first), clock.day_number(after) - 1


def _month(month: int) -> str:
    """As an address says it."""
    return f"{month // 12}-{month % 12 + 1:02}"


def _first_bought(month: int, **more: str) -> str:
    return people(first=_month(month), **more)


def _chosen(request: HttpRequest, name: str, options: object, otherwise: str) -> str:
    wanted = request.GET.get(name, otherwise)
    return wanted if wanted in options else otherwise  # type: ignore[operator]


@page(capability="insights.view")
def sales(request: HttpRequest) -> HttpResponse:
    """What do we sell, where, and to whom?"""
    moment = queries.snapshot()
    period = _chosen(request, "period", PERIODS, "90")
    show = _chosen(request, "show", SHOWN, "net")
    dimension: Dimension = _chosen(request, "by", DIMENSIONS, "store")  # type: ignore[assignment]
    days = PERIODS[period][0]
    since, until = (None, None) if days is None else (moment.as_of - days, moment.as_of - 1)
    grain = queries.sales.SPANS[days]
    rows = queries.sales.by_period(moment, period=grain, since=since, until=until)
    written = formatting.month if grain == "month" else formatting.day
    parts = queries.sales.by(moment, dimension=dimension, since=since, until=until)
    drawn = parts[:MOST_BARS]
    buyers = queries.sales.new_and_returning(moment, by=grain, since=since, until=until)
    # In the whole history everybody came for the first time.
    who = queries.sales.new_and_returning(moment, by=dimension, since=since, until=until) if days else []
    came = {row.key: row for row in who}
    place = {row.key: {f"bought_{dimension}": str(row.key)} for row in parts}
    bought = {row.key: _who_bought(since, until, **place[row.key]) for row in parts}

    def in_bucket(key: int | str, *, new: bool | None = None) -> str:
        """Who bought in a day, week or month of the period; for the first time, or not."""
        begin, end = _span(grain, int(key))
        first = {} if new is None else _first(begin, end) if new else {"before": clock.day_of(begin).isoformat()}
        within = (begin if since is None else max(begin, since), end if until is None else min(end, until))
        return people(**_days(*within), **first)

    name, unit = SHOWN[show]
    return render(
        request,
        "console/insights/sales.html",
        {
            "moment": moment,
            "notices": queries.notices(moment),
            "periods": [(key, text) for key, (_, text) in PERIODS.items()],
            "period": period,
            "shown": [(key, text) for key, (text, _) in SHOWN.items()],
            "named": {key: text for key, (text, _) in SHOWN.items()},
            "show": show,
            "show_name": name,
            "metric": METRIC.get(show, show),
            "dimensions": DIMENSIONS.items(),
            "dimension": dimension,
            "dimension_name": DIMENSIONS[dimension],
            "not_given": NOT_GIVEN[dimension],
            "figures": None if days is None else queries.overview.figures(moment, days=days),
            "whole": queries.sales.whole(moment) if days is None else None,
            "all_buyers": _who_bought(since, until),
            "all_new": people(**_first(since, until)),
            "over_time": charts.bars(
                str(name),
                [written(int(row.key)) for row in rows],
                [(str(name), [getattr(row, show) for row in rows], "@accent")],
                unit=unit,
                urls=[[in_bucket(row.key) if row.buyers else "" for row in rows]],
                first=str(Text("From", "起始")),
            ),
            "parts": [
                (row, came.get(row.key), bought[row.key],
                 _who_bought(since, until, **place[row.key], **_first(since, until)))
                for row in parts
            ],
            "drawn": len(drawn),
            "parts_chart": charts.bars(
                f"{name} · {DIMENSIONS[dimension]}",
                [str(row.key or NOT_GIVEN[dimension]) for row in drawn],
                [(str(name), [getattr(row, show) for row in drawn], "@accent")],
                unit=unit,
                sideways=True,
                height=60 + 26 * len(drawn),
                urls=[[bought[row.key] for row in drawn]],
                first=str(DIMENSIONS[dimension]),
            ),
            "buyers": charts.bars(
                str(Text("Buyers, new and returning", "新客与回头客")),
                [written(int(row.key)) for row in buyers],
                [
                    (str(Text("Returning", "回头客")), [row.returning for row in buyers], "@accent"),
                    (str(Text("New", "新客")), [row.new for row in buyers], "@stage-new"),
                ],
                stacked=True,
                urls=[[in_bucket(row.key, new=new) for row in buyers] for new in (False, True)],
                first=str(Text("From", "起始")),
            ),
        },
    )  # fmt: skip


@page(capability="insights.view")
def rfm(request: HttpRequest) -> HttpResponse:
    """Who are our regulars?"""
    moment = queries.snapshot()
    cells = {(cell.r, cell.f): cell for cell in queries.rfm.matrix(moment)}
    found = queries.rfm.groups(moment)
    total = sum(group.customers for group in found)
    scale = range(5, 0, -1)
    across = range(1, 6)
    value = "net" if request.GET.get("show") == "net" else "customers"
    return render(
        request,
        "console/insights/rfm.html",
        {
            "moment": moment,
            "show": value,
            "total": total,
            "few": FEW_SCORED if 0 < total < FEW_SCORED else None,
            "money": sum(group.net for group in found),
            "groups": [
                {
                    "key": group.key,
                    "customers": group.customers,
                    "net": group.net,
                    "share": group.customers / total if total else 0,
                    "average": round(group.net / group.customers) if group.customers else None,
                    "meaning": groups.MEANING[group.key],
                    "url": people(group=group.key),
                }
                for group in found
            ],
            "matrix": charts.heat(
                str(Text("Recency and frequency", "最近一次与频次")),
                [str(Text("F {n}", "F {n}").filled(n=f)) for f in across],
                [str(Text("R {n}", "R {n}").filled(n=r)) for r in scale],
                [[getattr(cells.get((r, f)), value, None) for f in across] for r in scale],
                unit="money" if value == "net" else "number",
                urls=[[people(r=r, f=f) for f in across] for r in scale],
                first="R",
            ),
        },
    )


@page(capability="insights.view")
def lifecycle(request: HttpRequest) -> HttpResponse:
    """Where are our customers, and where are they going?"""
    moment = queries.snapshot()
    found = queries.lifecycle.stages(moment)
    flows = queries.lifecycle.flow(moment, months=3)
    months = sorted({flow.month for flow in flows})
    names = {key: str(text) for key, text in stages.STAGES.items()} | {"": str(Text("Not there yet", "尚未出现"))}
    # A node is a stage at the end of a month; a month's sources are the targets of the month before.
    nodes = {}
    for flow in flows:
        for month, key in ((flow.month - 1, flow.source), (flow.month, flow.target)):
            label = f"{names[key]} · {formatting.month(month)}"
            nodes[f"{month}:{key}"] = (f"{month}:{key}", label, f"@stage-{key}" if key else "@quiet")
    return render(
        request,
        "console/insights/lifecycle.html",
        {
            "moment": moment,
            "stages": [
                {"key": s.key, "customers": s.customers, "net": s.net, "meaning": stages.MEANING[s.key],
                 "url": people(stage=s.key)}
                for s in found
            ],
            "total": sum(stage.customers for stage in found),
            "flow": charts.sankey(
                str(Text("From month to month", "逐月流动")),
                [nodes[key] for key in sorted(nodes)],
                [(f"{f.month - 1}:{f.source}", f"{f.month}:{f.target}", f.customers) for f in flows],
                urls={f"{months[-1]}:{key}": people(stage=key) for key in stages.STAGES},  # the last node is today
                columns={key: int(key.partition(":")[0]) - months[0] + 1 for key in nodes},
                head=[str(Text("From", "从")), str(Text("To", "到")), str(Text("Customers", "客户"))],
                height=460,
            )
            if months
            else None,
        },
    )  # fmt: skip


def _judged(within: int, observed: int, row: queries.rhythm.SecondOrder) -> float | None:
    """The share that came again, once so many days have passed for everybody of the month."""
    return within / row.customers if row.customers and observed == row.customers else None


@page(capability="insights.view")
def cohorts(request: HttpRequest) -> HttpResponse:
    """Do customers come back?"""
    moment = queries.snapshot()
    found = queries.cohorts.retention(moment, months=13)
    today = clock.day_of(moment.as_of)
    running = today.year * 12 + today.month - 1  # not over yet: its share would look like a fall
    width = max((min(len(cohort.buyers), running - cohort.month) for cohort in found), default=0)
    return render(
        request,
        "console/insights/cohorts.html",
        {
            "moment": moment,
            "any": any(cohort.size for cohort in found),
            "retention": charts.heat(
                str(Text("Share that bought again, by month since the first purchase", "首购后各月的回购比例")),
                [str(Text("+{n}", "+{n}").filled(n=n)) for n in range(1, width)],
                [f"{formatting.month(c.month)} · {formatting.number(c.size)}" for c in found],
                [
                    [c.share(n) if n < min(len(c.buyers), running - c.month) else None for n in range(1, width)]
                    for c in found
                ],
                unit="percent",
                urls=[[_first_bought(c.month, came=_month(c.month + n)) for n in range(1, width)] for c in found],
                height=90 + 30 * len(found),
                first=str(Text("First month · customers", "首购月 · 客户数")),
            ),
            "second": [
                (row, _first_bought(row.month), _first_bought(row.month, again="ever"), [
                    (_judged(row.within_30, row.observed_30, row), _first_bought(row.month, again="30")),
                    (_judged(row.within_60, row.observed_60, row), _first_bought(row.month, again="60")),
                    (_judged(row.within_90, row.observed_90, row), _first_bought(row.month, again="90")),
                ])
                for row in queries.rhythm.second_orders(moment, months=13)
            ],
        },
    )  # fmt: skip


@page(capability="insights.view")
def rhythm(request: HttpRequest) -> HttpResponse:
    """How long until they come again?"""
    moment = queries.snapshot()
    found = queries.rhythm.gaps(moment)
    shown = found.weeks[:27]
    return render(
        request,
        "console/insights/rhythm.html",
        {
            "moment": moment,
            "gaps": found,
            "chart": charts.bars(
                str(Text("Weeks between two purchases", "两次购买相隔的周数")),
                [formatting.number(week) for week, _ in shown],
                [(str(Text("Purchases", "购买次数")), [count for _, count in shown], "@accent")],
                first=str(Text("Weeks", "周数")),
            ),
        },
    )


@page(capability="insights.view")
def risk(request: HttpRequest) -> HttpResponse:
    """Who are we losing, and why?"""
    moment = queries.snapshot()
    wanted = request.GET.get("reason", "")
    reason = wanted if wanted in REASONS else None
    lost = request.GET.get("lost") == "1"
    found = queries.risk.at_risk(moment, reason=reason, lost=lost, after=request.GET.get("after") or None, limit=50)
    cards = by_ids([row.customer_id for row in found.rows])
    totals = queries.risk.totals(moment, lost=lost)
    counts = {"silent": totals.silent, "spend": totals.spend, "overdue": totals.overdue}
    return render(
        request,
        "console/insights/risk.html",
        {
            "moment": moment,
            "totals": totals,
            "everybody": people(risk="lost" if lost else 1),
            "reason": reason,
            "lost": lost,
            "reasons": [(key, text, counts[key]) for key, text in REASONS.items()],
            "rows": [(row, cards.get(row.customer_id)) for row in found.rows],
            "after": found.after,
            "why": charts.bars(
                str(Text("Reasons of the warnings", "预警原因")),
                [str(text) for text in REASONS.values()],
                [(str(Text("Customers", "客户")), [counts[key] for key in REASONS], "@warning")],
                sideways=True,
                height=150,
                urls=[[f"?reason={key}" + ("&lost=1" if lost else "") for key in REASONS]],
                first=str(Text("Reason", "原因")),
            ),
        },
    )


@page(capability="insights.view")
def lost(request: HttpRequest) -> HttpResponse:
    """Whom did we lose this month, and why?"""
    moment = queries.snapshot()
    wanted = request.GET.get("hint", "")
    hint = wanted if wanted in HINTS else None
    found = queries.losses.lost(moment, hint=hint, after=request.GET.get("after") or None, limit=50)
    cards = by_ids([row.customer_id for row in found.rows])
    counts = queries.losses.hints(moment)
    gone = Filters(newly_lost=True, erased=None)
    total = queries.customers.count(moment, filters=gone)
    return render(
        request,
        "console/insights/lost.html",
        {
            "moment": moment,
            "total": total,
            "unlisted": queries.customers.count(moment, filters=replace(gone, erased=True)),
            "everybody": people(lost=1),
            "since": queries.lifecycle.month_before(moment) + 1,
            "before": queries.losses.BEFORE,
            "hint": hint,
            "hints": [(key, text, counts[key]) for key, text in HINTS.items()],
            "rows": [(row, cards.get(row.customer_id)) for row in found.rows],
            "after": found.after,
            "why": charts.bars(
                str(Text("What is known of why", "已知的线索")),
                [str(text) for text in HINTS.values()],
                [(str(Text("Customers", "客户")), [counts[key] for key in HINTS], "@warning")],
                sideways=True,
                height=180,
                urls=[[f"?hint={key}" for key in HINTS]],
                first=str(Text("Hint", "线索")),
            ),
        },
    )


@page(capability="insights.view")
def voice(request: HttpRequest) -> HttpResponse:
    """What do customers say of us?"""
    moment = queries.snapshot()
    months = queries.voice.nps_by_month(moment, months=13)
    quarter = _days(moment.as_of - queries.voice.DAYS + 1, moment.as_of, of="said_")

    def who(kind: str, **more: str) -> Callable[[str], str]:
        """The address of the list of those whose last answer was so."""
        return lambda answer: people(**{kind: answer}, **more)

    def leading(nps: queries.voice.Nps, to: Callable[[str], str]) -> list[tuple[int, str]]:
        counts = {"promoters": nps.promoters, "passives": nps.passives, "detractors": nps.detractors}
        return [(count, to(answer)) for answer, count in counts.items()]

    nps, csat = queries.voice.nps(moment), queries.voice.csat(moment)
    asked, rated = who("nps", **quarter), who("csat", **quarter)
    return render(
        request,
        "console/insights/voice.html",
        {
            "moment": moment,
            "nps": nps,
            "nps_url": asked("any"),
            "nps_parts": list(zip(NPS, leading(nps, asked), strict=True)),
            "csat": csat,
            "csat_url": rated("any"),
            "csat_parts": [
                (CSAT[0], (csat.satisfied, rated("satisfied"))),
                (CSAT[1], (csat.answers - csat.satisfied, rated("unsatisfied"))),
            ],
            "stores": [
                (store, row, who("nps", **quarter, said_store=store)("any"),
                 leading(row, who("nps", **quarter, said_store=store)))
                for store, row in queries.voice.nps_by_store(moment)
            ],
            "trend": charts.lines(
                "NPS",
                [formatting.month(month) for month, _ in months],
                [("NPS", [nps.nps for _, nps in months], "@accent")],
                urls=[[people(nps="any", **_days(*_span("month", month), of="said_")) for month, _ in months]],
                first=str(Text("Month", "月份")),
            ),
        },
    )  # fmt: skip
