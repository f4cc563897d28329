"""The stages of a customer's life with the business, judged by rhythm: one rule for today and for every past month."""

from typing import get_args

import ibis
import ibis.expr.types as ir

from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.kernel.languages import Text
from regulars.rules.schema import Stage

_NAMES = (
    Text(en="Potential", zh="潜在"),
    Text(en="New", zh="新客"),
    Text(en="Active", zh="活跃"),
    Text(en="Dormant", zh="沉睡"),
    Text(en="Lost", zh="流失"),
)
STAGES: dict[str, Text] = dict(zip(get_args(Stage), _NAMES, strict=True))

MEANING: dict[str, Text] = {
    "potential": Text(en="Has not bought yet.", zh="尚未购买。"),
    "new": Text(
        en="Bought on one day, and the second purchase isn't late yet.", zh="只在一天买过，还没到该复购的时候。"
    ),
    "active": Text(en="Bought on several days and comes in rhythm.", zh="多次购买，按自己的节奏光顾。"),
    "dormant": Text(en="Later than the rhythm lets expect.", zh="超过了正常的购买间隔。"),
    "lost": Text(en="Far later than the rhythm lets expect.", zh="远远超过了正常的购买间隔。"),
}

ABSENT = ""
"""In flows: not yet a customer at the earlier month's end."""


def own_gap(visits: ir.Value, first_day: ir.Value, last_day: ir.Value) -> ir.Value:
    """A customer's average days between visits, rounded down; NULL below two visits.

    The average, not the median, because it needs only the first and the last day and the count: it can be said for
    every past day without sorting, and brought up to date without history.
    """
    gaps = ibis.ifelse(visits >= 2, visits - 1, ibis.null("int64"))
    return ((last_day - first_day) // gaps).cast("int64")


def gap(visits: ir.Value, own: ir.Value, cutoffs: Cutoffs, thresholds: Thresholds) -> ir.Value:
    """The rhythm a buyer is judged by: their own from enough visits on, else the population's; within bounds."""
    population = thresholds.gap if thresholds.gap is not None else cutoffs.gap_default
    days = ibis.ifelse(visits >= cutoffs.own_rhythm_visits, own, population)
    return (
        ibis.cases(
            (days < cutoffs.gap_least, cutoffs.gap_least), (days > cutoffs.gap_most, cutoffs.gap_most), else_=days
        )
    ).cast("int64")


def late(recency: ir.Value, rhythm: ir.Value, percent: int, least: int) -> ir.BooleanValue:
    """More than `percent` of the rhythm, and more than `least` days, since the last purchase."""
    return (recency * 100 > rhythm * percent) & (recency > least)


def stage(visits: ir.Value, recency: ir.Value, rhythm: ir.Value, cutoffs: Cutoffs) -> ir.Value:
    """The key of the stage of a customer with so many visits, so many days ago, in this rhythm."""
    return ibis.cases(
        (ibis.coalesce(visits, 0) == 0, "potential"),
        (late(recency, rhythm, cutoffs.lost_percent, cutoffs.lost_least_days), "lost"),
        (late(recency, rhythm, cutoffs.dormant_percent, cutoffs.dormant_least_days), "dormant"),
        (visits == 1, "new"),
        else_="active",
    )
