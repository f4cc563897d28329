"""What a customer is like beside what they are worth: mood (how they feel) and taste (price or quality).

Each is one word per customer, from their own events and purchases; None where nothing can be said.
"""

import ibis
import ibis.expr.types as ir

from regulars.analytics.cutoffs import Thresholds
from regulars.analytics.facts import EVENTS, RECORDS, between
from regulars.kernel.languages import Text

MOODS: dict[str, Text] = {
    "happy": Text(en="Happy", zh="满意"),
    "neutral": Text(en="Neutral", zh="一般"),
    "unhappy": Text(en="Unhappy", zh="不满"),
}
MOOD_DAYS = 365
MOOD_EVENTS = ("Survey Answered", "Complaint Filed")
UNHAPPY = {"nps": 6, "csat": 2}
"""Kind of question → the highest score that says so."""
MOOD_MEANING = Text(
    en="What the customer let us know last, within a year: happy after 9 or 10 for “would you recommend us?” (NPS) "
    "or 4 or 5 for satisfaction (CSAT); unhappy after up to 6, or up to 2, or a complaint; neutral after anything "
    "between. Empty where they said nothing.",
    zh="客户一年内最近一次的表态：推荐意愿（NPS）打 9、10 分或满意度（CSAT）打 4、5 分为“满意”；NPS 不超过 6 分、"
    "CSAT 不超过 2 分或投诉为“不满”；其余为“一般”。没有表态则为空。",
)

TASTES: dict[str, Text] = {
    "price": Text(en="Price-sensitive", zh="价格敏感"),
    "quality": Text(en="Quality-oriented", zh="品质导向"),
}
TASTE_ORDERS = 3
REDUCED_ORDERS = 2
REDUCED_PERCENT = 30
FULL_PRICE_PERCENT = 10
TASTE_MEANING = Text(
    en="From three orders on. Price-sensitive: at least two orders and 30 % of them were paid with something off (a "
    "coupon, a discount). Quality-oriented: less than 10 % were, and the average order before discounts and refunds is "
    "in the top two fifths of all buyers. Empty otherwise. It is an inference: many cheap things and a few dear "
    "ones can make the same average.",
    zh="满三单后判断。价格敏感：至少两单且 30% 以上的订单付款时有减免（优惠券、折扣）。品质导向：有减免的订单不到 10%，"
    "且平均每单金额（优惠与退款前）处于全体购买客户的前五分之二。其余为空。这只是推断：多件平价商品与少量高价商品，"
    "平均金额可能相同。",
)


def mood(
    events: ir.Table = EVENTS, records: ir.Table = RECORDS, *, as_of: int, only: ir.Table | None = None
) -> ir.Table:
    """One row per customer who answered or complained in the MOOD_DAYS days up to `as_of`: customer_id, mood.

    The latest decides, of the same moment the later in the log. Scores out of range say nothing.
    """
    rows = between(events, as_of - MOOD_DAYS + 1, as_of)
    rows = rows.filter(rows.record_id.notnull(), rows.name.isin(MOOD_EVENTS))
    kept = records.select("record_id", "customer_id")
    if only is not None:
        kept = kept.semi_join(only, "customer_id")
    rows = rows.inner_join(kept, "record_id")
    nps = (rows.category == "nps") & rows.score.between(0, 10)
    csat = (rows.category == "csat") & rows.score.between(1, 5)
    rows = rows.select(
        customer_id=rows.customer_id,
        at=rows.at,
        position=rows.position,
        mood=ibis.cases(
            (rows.name == "Complaint Filed", "unhappy"),
            (nps & (rows.score >= 9), "happy"),
            (nps & (rows.score <= UNHAPPY["nps"]), "unhappy"),
            (csat & (rows.score >= 4), "happy"),
            (csat & (rows.score <= UNHAPPY["csat"]), "unhappy"),
            (nps | csat, "neutral"),
        ),
    )
    rows = rows.filter(rows.mood.notnull())
    newest = [ibis.desc("at"), ibis.desc("position")]
    ranked = rows.mutate(place=ibis.row_number().over(group_by="customer_id", order_by=newest))
    return ranked.filter(ranked.place == 0).select("customer_id", "mood")


def taste(orders: ir.Value, reduced: ir.Value, gross: ir.Value, thresholds: Thresholds) -> ir.Value:
    """The key of the taste of a customer with so many orders, so many of them `reduced` (paid with something off)."""
    asked = orders >= TASTE_ORDERS
    dear = gross > orders * thresholds.basket[2]
    often = (reduced >= REDUCED_ORDERS) & (reduced * 100 >= orders * REDUCED_PERCENT)
    return ibis.cases(
        (asked & often, "price"),
        (asked & (reduced * 100 < orders * FULL_PRICE_PERCENT) & dear, "quality"),
    )
