"""How the business is doing: the same figures as the overview of the console."""

from datetime import date, datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from regulars.api.shapes import ADJUSTMENTS, ERRORS, actor, needs
from regulars.api.wording import said
from regulars.kernel import clock
from regulars.warehouse.queries import overview, snapshot

router = Router(tags=["figures"])
Days = Annotated[int, Query(ge=1, le=366, description=said("Length of the period.", "周期天数。"))]


class Figure(Schema):
    key: str = Field(description=said("Which figure.", "指标。"))
    now: int = Field(description=said("In the period; money in minor units.", "本期值；金额以分计。"))
    before: int = Field(description=said("In as many days before.", "上期值。"))
    change: float | None = Field(
        description=said("0.1 is +10 %; null if there was nothing before.", "0.1 表示 +10%；上期为零则为 null。")
    )


class Day(Schema):
    day: date = Field(description=said("The day in the business's zone.", "营业时区日期。"))
    gross: int = Field(
        description=said(
            "Price × quantity of what was sold, before discounts and refunds, minor units.",
            "单价 × 数量，优惠与退款前（分）。",
        )
    )
    refunds: int = Field(description=said("Refunds, minor units.", "退款（分）。"))
    adjustments: int = Field(description=ADJUSTMENTS)
    net: int = Field(description=said("gross + adjustments - refunds, minor units.", "净销售额（分）。"))
    orders: int = Field(description=said("Orders.", "订单数。"))
    buyers: int = Field(description=said("Customers who bought.", "购买客户数。"))
    new_buyers: int = Field(description=said("Of them for the first time.", "其中首次购买者。"))


class Figures(Schema):
    until: date = Field(description=said("Last day of the period: yesterday.", "周期最后一天（昨天）。"))
    days: int = Field(description=said("Length of the period.", "周期天数。"))
    currency: str = Field(description=said("The business's currency.", "本位币。"))
    refreshed_at: datetime | None = Field(description=said("Last full computation.", "最近一次完整计算时间。"))
    figures: list[Figure] = Field(description=said("Against the period before.", "与上期比较的指标。"))
    today: Day = Field(description=said("The day that isn't over, so far.", "今天截至目前的数据。"))
    series: list[Day] = Field(description=said("Day by day, the oldest first.", "逐日数据，从早到晚。"))


def _shape(row: overview.Day) -> dict[str, Any]:
    return {
        "day": clock.day_of(row.day), "gross": row.gross, "refunds": row.refunds,
        "adjustments": row.adjustments, "net": row.net,
        "orders": row.orders, "buyers": row.buyers, "new_buyers": row.new_buyers,
    }  # fmt: skip


@router.get(
    "/figures",
    response={200: Figures, **ERRORS},
    **needs(
        "insights.view",
        said("Sales, buyers, averages", "销售额、客户与均值"),
        said("Whole days against as many before them; today apart.", "以完整自然日与上期比较，今日单列。"),
    ),
)
def figures(request: HttpRequest, days: Days = 28) -> Any:
    actor(request, "insights.view")
    now = snapshot()
    found = overview.figures(now, days=days)
    series = overview.series(now, days=days)
    compared = [{"key": one.key, "now": one.now, "before": one.before, "change": one.change} for one in found.values()]
    return {
        "until": clock.day_of(now.as_of - 1), "days": days, "currency": now.currency, "refreshed_at": now.refreshed_at,
        "figures": compared,
        "today": _shape(overview.today(now)),
        "series": [_shape(row) for row in series],
    }  # fmt: skip
