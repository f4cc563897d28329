"""The registry of metrics: every figure that people read, by key.

Here belong aggregates with a definition that can be said in a sentence; what is said of single customers is in
`scores`, what has a model behind it in `stats`. Add a function, then its entry here.
"""

from typing import Any

from regulars.analytics import engines
from regulars.analytics.cutoffs import Cutoffs
from regulars.analytics.metrics import loyalty, mood, people, sales
from regulars.analytics.metrics.definition import Metric
from regulars.analytics.metrics.people import month_ends
from regulars.kernel.languages import Text

__all__ = ["METRICS", "Metric", "explained", "month_ends", "sql"]

_ALL = (
    Metric(
        "revenue",
        Text(en="Revenue", zh="销售额"),
        sales.revenue,
        "销售额：总额为单价和数量都大于零的订单行的单价 × 数量之和（优惠与退款前）；"
        "净额＝总额＋整单调整（优惠、运费等）－退款。"
        "散客销售计入；退款计在退款当天；非本位币的订单行不计。数据来源：完成订单、退款与取消订单事件的订单行。",
        ("bucket",),
    ),
    Metric(
        "orders",
        Text(en="Orders", zh="订单数"),
        sales.orders,
        "订单数：至少有一行金额大于零的不同订单，之后退款的也算；其中没有客户身份的是散客订单。"
        "按品类或商品看时，一张订单在它包含的每一类中各算一次，所以各项之和大于总数。"
        "数据来源：完成订单事件的订单行。",
        ("bucket",),
    ),
    Metric(
        "average_order",
        Text(en="Average order", zh="客单价"),
        sales.average_order,
        "客单价：订单实付金额 ÷ 订单数，四舍五入到最小货币单位；已减优惠、含运费，退款不扣除。"
        "散客订单计入；没有本位币付费行的订单不计。按品类或商品看时，是每张相关订单花在其中的金额；整单的优惠与运费不属于任何一类。"
        "数据来源：完成订单事件的订单行。",
        ("bucket",),
    ),
    Metric(
        "buyers",
        Text(en="Buyers", zh="购买客户数"),
        sales.buyers,
        "购买客户数：至少有一行付费订单的不同客户。合并过的档案算同一位客户；散客销售没有客户，不计入。"
        "同一客户在几个分组里都买过，就在每组各算一次，所以各项之和大于总数。数据来源：订单行与客户档案。",
        ("bucket",),
    ),
    Metric(
        "sales",
        Text(en="Sales", zh="销售概况"),
        sales.sales,
        "销售概况：销售额、订单数、购买客户数与客单价合在一张表里，定义与各自的指标完全相同；某项没有数据时为 0。",
        ("bucket",),
    ),
    Metric(
        "new_and_returning",
        Text(en="New and returning buyers", zh="新老客户"),
        sales.new_and_returning,
        "新老客户：首次购买所在的日、周或月里算新客，之后都算老客；按门店、渠道、品类、商品或总体看时，首次购买落在所选时段内的算新客。"
        "同时给出两者的总额（优惠与退款前）与净额，退款算在原订单当天；按品类或商品看时为相应订单行的金额，"
        "退款算在退款当天。数据来源：客户的购买记录与订单行。",
        ("bucket",),
    ),
    Metric(
        "retention",
        Text(en="Cohort retention", zh="同期群留存"),
        loyalty.retention,
        "同期群留存：按首次购买的月份把客户分成同期群，看他们之后每个月还有多少人购买。"
        "留存率＝当月购买人数 ÷ 同期群总人数。月份按商家所在时区的自然月计，最后一个月尚不完整。"
        "金额为当月的总额（优惠与退款前）与净额。数据来源：客户的购买记录。",
        ("cohort", "months_since"),
    ),
    Metric(
        "time_between_purchases",
        Text(en="Time between purchases", zh="购买间隔"),
        loyalty.time_between_purchases,
        "购买间隔：同一客户相邻两次购买相隔的天数，以及每种天数出现的次数和涉及的客户数。同一天的订单算一次到访。"
        "最近一次购买之后仍在等待的时间不计，所以刚开业的商家看起来会比实际更快。数据来源：客户的购买记录。",
        ("gap_days",),
    ),
    Metric(
        "second_order",
        Text(en="Second-order rate", zh="二次购买率"),
        loyalty.second_order,
        "二次购买率：按首次购买月份，看有多少客户在之后的某一天再次购买。若干天内的二次购买率＝"
        "在这些天内再次购买的客户数 ÷ 首次购买已满这么多天的客户数；未满的客户暂不计算。"
        "首日的多张订单算一次到访。数据来源：客户的购买记录。",
        ("cohort",),
    ),
    Metric(
        "rfm_matrix",
        Text(en="RFM matrix", zh="RFM 矩阵"),
        people.rfm_matrix,
        "RFM 矩阵：按最近购买（R）与购买频次（F）得分划分的购买客户，5 分最好；给出人数、订单数、净消费额"
        "与消费金额（M）的平均分。{rfm_scores}数值相同则得分相同，因此有的格子可能为空。"
        "个人信息已删除的客户仍计入，但不出现在任何名单中。数据来源：客户评分；Hughes（1994）。",
        ("r", "f"),
    ),
    Metric(
        "rfm_groups",
        Text(en="RFM groups", zh="RFM 分组"),
        people.rfm_groups,
        "RFM 分组：各分组的购买客户数、订单数与净消费额。分组由最近购买得分（R）以及频次（F）与金额（M）得分的均值"
        "决定；只买过一次的客户仅看最近购买得分。得分不考虑购买节奏，因此分组并不说明客户是否逾期未来。分组名称可以自定义。"
        "个人信息已删除的客户仍计入，但不出现在任何名单中。数据来源：客户评分。",
        ("rfm_group",),
    ),
    Metric(
        "stages",
        Text(en="Lifecycle stages", zh="生命周期阶段"),
        people.stages,
        "生命周期阶段：已识别客户与购买客户在各阶段的人数与净消费额。潜在：尚未购买；新客：只在一天买过；活跃：多天买过；"
        "沉睡：距上次购买超过购买间隔的 {dormant_times} 倍，且超过 {dormant_least_days} 天；"
        "流失：超过 {lost_times} 倍，且超过 {lost_least_days} 天。到访满 {own_rhythm_visits} 次，按客户自己的平均"
        "间隔判断，否则按全体客户间隔的中位数判断；间隔最短按 {gap_least} 天、最长按 {gap_most} 天计。"
        "个人信息已删除的客户仍计入，但不出现在任何名单中。数据来源：客户评分。",
        ("stage",),
    ),
    Metric(
        "warnings",
        Text(en="Churn warnings", zh="流失预警"),
        people.warnings,
        "流失预警：按预警原因统计的购买客户。触发条件：超过 {churn_silent_days} 天没有任何互动，"
        "且最近 {churn_window_days} 天的消费比此前 {churn_window_days} 天下降至少 {churn_spend_percent}%；"
        "或者到访已满 {own_rhythm_visits} 次，距上次购买超过自己购买间隔的 {overdue_times} 倍"
        "且超过 {overdue_least_days} 天，但尚未流失。互动指客户自己的行为（下单、到店、浏览、回答调研等），"
        "员工、系统或程序对客户资料的登记不算。名单及其合计不含个人信息已删除的客户，因为已无法联系。"
        "数据来源：客户评分。",
        ("warn_silent", "warn_spend", "warn_overdue", "warned"),
    ),
    Metric(
        "stage_flow",
        Text(en="Flow between stages", zh="阶段流转"),
        people.stage_flow,
        "阶段流转：相邻两个月末之间，有多少客户从哪个阶段转到哪个阶段。历史月末与今天使用同一规则，"
        "只用当时已知的数据；唯有全体客户的间隔取自今天。“尚未出现”表示较早的月末还不是客户。"
        "从未购买的匿名访客不计；今天已识别的客户（包括个人信息已删除的），从有记录的第一天起算作潜在客户。"
        "数据来源：购买记录与客户档案。",
        ("month", "from_stage", "to_stage"),
    ),
    Metric(
        "nps",
        Text(en="Net Promoter Score", zh="净推荐值（NPS）"),
        mood.nps,
        "净推荐值（NPS）：对“您愿意推荐我们吗？”的 0 到 10 分回答。NPS ＝（推荐者－贬损者）÷ 回答数 × 100；"
        "9、10 分为推荐者，0 到 6 分为贬损者。同一时段或门店里，同一客户只计最后一次回答，匿名回答逐一计入，"
        "超出范围的分数不计。数据来源：回答调研事件（推荐意愿）；Reichheld（2003）。",
        ("bucket",),
    ),
    Metric(
        "csat",
        Text(en="Customer satisfaction", zh="客户满意度（CSAT）"),
        mood.csat,
        "客户满意度（CSAT）：1 到 5 分的回答。满意率＝打 4、5 分的回答数 ÷ 回答数。同一时段或门店里，"
        "同一客户只计最后一次回答，匿名回答逐一计入，超出范围的分数不计。数据来源：回答调研事件（满意度）。",
        ("bucket",),
    ),
    Metric(
        "events",
        Text(en="Events", zh="事件数"),
        mood.events,
        "事件数：每种事件发生的次数，以及涉及的不同档案数。档案是初次见到的人或设备，合并过的在这里仍分开计。"
        "数据来源：全部事件。",
        ("name", "bucket"),
    ),
)

METRICS: dict[str, Metric] = {metric.key: metric for metric in _ALL}


def explained(key: str, cutoffs: Cutoffs = Cutoffs()) -> Text:
    """What a figure means under the cut-offs in force: definition, formula, edge cases, source.

    Raises KeyError for an unknown key.
    """
    return METRICS[key].explained(cutoffs)


def sql(key: str, dialect: engines.Dialect = "duckdb", **parameters: Any) -> str:
    """The SQL of a metric with these parameters; compiled once for each set of them."""
    return engines.sql(METRICS[key].build, dialect, **parameters)
