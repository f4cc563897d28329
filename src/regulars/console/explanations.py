"""What figures, stages and groups are called and mean. The definitions stand with the code that computes them
(analytics); here are only those of figures that a page itself makes out of a customer's scores.
"""

from dataclasses import dataclass

from regulars.analytics import lifecycle, metrics, rfm, traits
from regulars.analytics.cutoffs import Cutoffs
from regulars.console import formatting
from regulars.kernel.languages import Text


@dataclass(frozen=True, slots=True)
class About:
    name: Text
    text: Text


_OF_A_CUSTOMER: dict[str, About] = {
    "net": About(
        Text("Net spend", "净消费"),
        Text(
            "All purchases less refunds, in the business's currency. Orders in other currencies aren't in it.",
            "全部消费减去退款，以企业本位币计；其他币种的订单不计入。",
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
            "This customer came too few times to have a rhythm of their own. Until then they are judged by the median "
            "over all customers who came at least twice. The settings say how many visits it takes.",
            "这位客户到访次数太少，还看不出自己的节奏，暂按全体回头客购买间隔的中位数判断。所需到访次数可在设置中修改。",
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
            "Expected purchases (BG/NBD) × expected value of each (Gamma-Gamma), not discounted. The range holds "
            "eight in ten of such customers.",
            "预期购买次数（BG/NBD）× 每次的预期金额（Gamma-Gamma），未折现。区间覆盖十分之"
            "八的同类客户。",
        ),
    ),
    "rfm": About(
        Text("RFM scores", "RFM 得分"),
        Text(
            "Recency, frequency and money from 1 to 5, 5 is best: fifths of all buyers, or the cut-offs in the "
            "settings.",
            "最近购买（R）、购买频次（F）、消费金额（M）各 1 到 5 分，5 分最好：按全体购买客户五等"
            "分，或按设置中的分界。",
        ),
    ),
    "risk": About(
        Text("Risk of leaving", "流失风险"),
        Text(
            "A warning is given for no sign of life for over 90 days while spend fell by 40 % or more, half-year "
            "against half-year; or for being later than the customer's own rhythm. The settings hold the numbers.",
            "触发预警的条件：超过 90 天没有任何互动，且近半年消费比前半年下降至少 40%；或超过自己的购"
            "买节奏。以上数字可在设置中修改。",
        ),
    ),
    "mood": About(
        Text("Mood", "情绪"),
        traits.MOOD_MEANING,
    ),
    "taste": About(Text("Taste", "偏好"), traits.TASTE_MEANING),
    "new_buyers": About(
        Text("New buyers", "新购客户"),
        Text(
            "Customers whose first purchase ever lies in the period.",
            "有史以来第一次购买落在所选时段内的客户。",
        ),
    ),
    "stage": About(
        Text("Lifecycle stage", "生命周期阶段"),
        Text(" ".join(f"{lifecycle.STAGES[k].en}: {v.en}" for k, v in lifecycle.MEANING.items()),
             "".join(f"{lifecycle.STAGES[k].zh}：{v.zh}" for k, v in lifecycle.MEANING.items())),
    ),
}  # fmt: skip


def of(key: str) -> About:
    """Raises KeyError for a figure that nobody has defined."""
    if key in _OF_A_CUSTOMER:
        return _OF_A_CUSTOMER[key]
    metric = metrics.METRICS[key]
    return About(metric.name, metric.explained)


def cutoffs() -> Cutoffs:
    """As the business has set them."""
    return Cutoffs.from_json(formatting.business().more.get("cutoffs") or {})


def stage_text(key: str) -> Text:
    return lifecycle.STAGES.get(key) or Text(key, key)


def mood_text(key: str) -> Text:
    return traits.MOODS.get(key) or Text(key, key)


def taste_text(key: str) -> Text:
    return traits.TASTES.get(key) or Text(key, key)


def group_text(key: str) -> Text:
    """The business's own name for the group, or the usual one."""
    return rfm.name(key, cutoffs()) if key in rfm.GROUPS else Text(key, key)
