"""What figures, stages and groups are called and mean. The definitions stand with the code that computes them
(analytics), with the cut-offs in force filled in; here are only those of single customers' figures and of columns,
which are no metrics.
"""

from dataclasses import dataclass

from regulars.analytics import lifecycle, metrics, rfm, traits
from regulars.analytics.cutoffs import Cutoffs
from regulars.console import formatting
from regulars.customers import consents
from regulars.kernel.languages import Text


@dataclass(frozen=True, slots=True)
class About:
    name: Text
    text: Text


_OF_NO_METRIC: dict[str, About] = {
    "net": About(
        Text("Net spend", "净消费"),
        Text(
            "All purchases less refunds, in the business's currency. Orders in other currencies aren't in it.",
            "全部消费减去退款，以企业本位币计；其他币种的订单不计入。",
        ),
    ),
    "sales_gross": About(
        Text("Gross", "总额"),
        Text(
            "What was paid for lines of orders (price × quantity), before discounts and fees of the whole order and "
            "before refunds. Gross + discounts and fees − refunds = net.",
            "订单行的单价 × 数量之和，未计整单优惠、费用与退款。总额＋优惠与费用－退款＝净额。",
        ),
    ),
    "sales_adjustments": About(
        Text("Discounts and fees", "优惠与费用"),
        Text(
            "What orders came to beyond their paid lines: discounts and coupons on the whole order (negative), postage "
            "and other fees (positive). Gross + discounts and fees − refunds = net.",
            "订单总额与订单行之和的差额：整单优惠、优惠券为负，运费等费用为正。总额＋优惠与费用－退款＝净额。",
        ),
    ),
    "sales_refunds": About(
        Text("Refunds", "退款"),
        Text(
            "What was given back, on the day that it was given back.",
            "退还给客户的金额，计入退款当天。",
        ),
    ),
    "sales_net": About(
        Text("Net", "净额"),
        Text(
            "What remains: gross + discounts and fees − refunds, in the business's currency. Orders in other "
            "currencies aren't in it.",
            "总额＋优惠与费用－退款，以企业本位币计；其他币种的订单不计入。",
        ),
    ),
    "gap": About(
        Text("Own rhythm", "购买节奏"),
        Text(
            "The average number of days between two visits with a purchase: (last − first) ÷ (visits − 1). Needs two "
            "visits; orders of one day are one visit.",
            "两次到访购买之间的平均天数：（最近一次 − 第一次）÷（到访次数 − 1）。至少到访两次；同一天"
            "的订单算一次到访。",
        ),
    ),
    "usual_gap": About(
        Text("Usual rhythm of all", "全体客户的常见节奏"),
        Text(
            "A rhythm of their own takes {own_rhythm_visits} visits. Until then customers are judged by the median "
            "over all who came at least twice.",
            "到访满 {own_rhythm_visits} 次才看得出自己的节奏，此前暂按全体回头客购买间隔的中位数判断。",
        ),
    ),
    "p_alive": About(
        Text("Probability of coming back", "仍会光顾的概率"),
        Text(
            "How likely it is that this customer hasn't left for good, given how often and how recently they bought. "
            "BG/NBD model (Fader, Hardie and Lee, 2005), fitted to all customers of this business. After a single "
            "visit it can't be said.",
            "根据购买频次与最近一次购买的时间，估计这位客户尚未永久离开的概率。采用 BG/NBD 模型（Fader、Hardie 与 Lee，"
            "2005），以本企业全部客户拟合。只到访过一次的客户无法估计。",
        ),
    ),
    "expected_value": About(
        Text("Expected value, next 12 months", "未来 12 个月预期价值"),
        Text(
            "Expected purchases (BG/NBD) × expected value of each (Gamma-Gamma), not discounted. The range is the "
            "model's: if customers behave as it assumes, one in ten comes out above it and at most one in ten below. "
            "Tried on real data (CDNOW, 23,570 customers, fitted to the first 39 weeks, compared with the next 39): "
            "12 % came out above it, of those who had bought again 16 %; in all the model expected 14 % fewer "
            "purchases and 17 % less value than there were.",
            "预期购买次数（BG/NBD）× 每次的预期金额（Gamma-Gamma），未折现。区间以模型成立为前提："
            "若客户行为符合模型假设，十分之一的客户高于区间，至多十分之一低于区间。"
            "用真实数据检验（CDNOW，23,570 位客户，以前 39 周拟合，与后 39 周对照）："
            "12% 的客户高于区间，其中复购过的客户为 16%；模型预期的购买次数总计比实际少 14%，金额少 17%。",
        ),
    ),
    "customer_orders": About(
        Text("Orders", "订单"),
        Text(
            "Different orders of theirs with at least one line above zero, refunded ones too.",
            "至少有一行金额大于零的不同订单，之后退款的也算。",
        ),
    ),
    "first_purchase": About(
        Text("First purchase", "首次购买"),
        Text(
            "The day of their first order with a line above zero, in the business's zone. Orders from before this "
            "system count once they are imported.",
            "第一笔金额大于零的订单所在的日期，按商家所在时区计。启用本系统之前的订单，导入后也会计入。",
        ),
    ),
    "last_purchase": About(
        Text("Last purchase", "最近购买"),
        Text(
            "The day of their latest order with a line above zero, in the business's zone, refunded or not. What the "
            "business gives back later is no purchase.",
            "最近一笔金额大于零的订单所在的日期，按商家所在时区计，之后退款的也算；退款本身不算购买。",
        ),
    ),
    "risk_net": About(
        Text("What they have brought", "他们已带来的消费"),
        Text(
            "The net spend of these customers, added up: all purchases so far less their refunds, in the business's "
            "currency. Orders in other currencies aren't in it.",
            "这些客户的净消费合计：迄今全部购买减去退款，以企业本位币计；其他币种的订单不计入。",
        ),
    ),
    "risk_expected": About(
        Text("Expected of them next year", "预计他们未来一年带来"),
        Text(
            "What each of these customers is expected to bring in the next 12 months, added up: expected purchases "
            "(BG/NBD) × expected value of each (Gamma-Gamma), not discounted. It is already less because they may "
            "have left. Customers of whom it can't be said yet add nothing.",
            "这些客户未来 12 个月预期价值的合计：预期购买次数（BG/NBD）× 每次的预期金额（Gamma-Gamma），未折现。"
            "他们可能已经离开，这一点已计算在内；暂时无法估计的客户不计入。",
        ),
    ),
    "rfm_share": About(
        Text("Share", "占比"),
        Text(
            "The group's customers ÷ all buyers: customers with at least one order.",
            "该分组的客户数 ÷ 全部购买客户数（至少有一笔订单的客户）。",
        ),
    ),
    "rfm_net": About(
        Text("Net revenue", "净销售额"),
        Text(
            "The net spend of the group's customers, added up: all purchases so far less their refunds, in the "
            "business's currency. Anonymous sales have no customer and aren't in it.",
            "该分组客户的净消费合计：迄今全部购买减去退款，以企业本位币计。散客销售没有客户，不计入。",
        ),
    ),
    "rfm_average": About(
        Text("Per customer", "人均"),
        Text("The group's net revenue ÷ its customers.", "该分组的净销售额 ÷ 客户数。"),
    ),
    "rfm": About(
        Text("RFM scores", "RFM 得分"),
        Text(
            "Recency, frequency and money from 1 to 5, 5 is best. {rfm_scores} They look at no rhythm: whether "
            "somebody is late, the stage and the warning say.",
            "最近购买（R）、购买频次（F）、消费金额（M）各 1 到 5 分，5 分最好。{rfm_scores}得分不考虑购买节奏；"
            "是否逾期未来，看生命周期阶段与流失预警。",
        ),
    ),
    "mood": About(
        Text("Mood", "情绪"),
        traits.MOOD_MEANING,
    ),
    "taste": About(Text("Taste", "偏好"), traits.TASTE_MEANING),
}

_BY_METRIC = {"stage": "stages", "risk": "warnings"}
"""Figures of one customer or page that the definition of a metric explains."""

_PART_OF: dict[str, tuple[str, About]] = {
    "net_revenue": (
        "revenue",
        About(Text("Net revenue", "净销售额"), Text("The net of what follows.", "即下述销售额的净额。")),
    ),
    "new_buyers": (
        "new_and_returning",
        About(
            Text("New buyers", "新客"),
            Text("The new ones of what follows, in the period shown.", "即下述新老客户中的新客，按所选时段计。"),
        ),
    ),
    "at_risk": (
        "warnings",
        About(
            Text("Customers at risk", "有流失风险的客户"),
            Text(
                "Customers who are warned of and not lost yet; under “Already lost” those who are lost.",
                "已触发流失预警、尚未流失的客户；在“已经流失”下，则为其中已流失的客户。",
            ),
        ),
    ),
    "half_again": (
        "time_between_purchases",
        About(
            Text("Half come again within", "一半客户再来间隔"),
            Text("Half of all times between two purchases are no longer than this.", "半数购买间隔不超过这一天数。"),
        ),
    ),
    "three_quarters_again": (
        "time_between_purchases",
        About(
            Text("Three quarters within", "四分之三客户再来间隔"),
            Text(
                "Three quarters of all times between two purchases are no longer than this.",
                "四分之三的购买间隔不超过这一天数。",
            ),
        ),
    ),
    "nine_in_ten_again": (
        "time_between_purchases",
        About(
            Text("Nine in ten within", "九成客户再来间隔"),
            Text(
                "Nine in ten of all times between two purchases are no longer than this.",
                "九成的购买间隔不超过这一天数。",
            ),
        ),
    ),
}
"""Figures that are one part of a metric: which one, and their name and words on pages, before the metric's own."""


def of(key: str) -> About:
    """Raises KeyError for a figure that nobody has defined."""
    if key in _OF_NO_METRIC:
        about = _OF_NO_METRIC[key]
        return About(about.name, about.text.filled(**cutoffs().said()))
    if key in _PART_OF:
        whole, part = _PART_OF[key]
        said = metrics.METRICS[whole].explained(cutoffs())
        return About(part.name, Text(f"{part.text.en} {said.en}", part.text.zh + said.zh))
    metric = metrics.METRICS[_BY_METRIC.get(key, key)]
    return About(metric.name, metric.explained(cutoffs()))


def cutoffs() -> Cutoffs:
    """As the business has set them."""
    return Cutoffs.from_json(formatting.business().more.get("cutoffs") or {})


def stage_text(key: str) -> Text:
    return lifecycle.STAGES.get(key) or Text(key, key)


def mood_text(key: str) -> Text:
    return traits.MOODS.get(key) or Text(key, key)


def taste_text(key: str) -> Text:
    return traits.TASTES.get(key) or Text(key, key)


_CHANNELS = consents.CHANNELS | {
    "online": Text("Online", "线上"), "offline": Text("In a store", "线下"), "store": Text("In a store", "门店"),
    "web": Text("Website", "网站"), "website": Text("Website", "网站"), "app": Text("App", "App"),
    "mini_program": Text("Mini program", "小程序"),
}  # fmt: skip


def channel_text(key: str) -> Text:
    """How something was bought or said: names that programs send, in words; others as they were sent."""
    return _CHANNELS.get(key) or Text(key, key)


def group_text(key: str) -> Text:
    """The business's own name for the group, or the usual one."""
    return rfm.name(key, cutoffs()) if key in rfm.GROUPS else Text(key, key)
