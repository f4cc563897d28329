import pytest

from regulars.analytics import naming
from regulars.analytics.cutoffs import Cutoffs
from regulars.rules.describe import described
from regulars.rules.schema import (
    All,
    AnyOf,
    GroupIn,
    Known,
    Listed,
    Not,
    NumberIs,
    Rule,
    Score,
    StageIn,
    StoreIn,
    TextIs,
    Warned,
)


@pytest.mark.parametrize(
    ("rule", "en", "zh"),
    [
        (All(), "everybody", "所有客户"),
        (StageIn(stages=("active", "new")), "stage is Active or New", "阶段为活跃或新客"),
        (GroupIn(groups=("champions",)), "RFM group is Stars", "RFM 分组为明星"),
        (Score(column="net", value=123_450), "net spend at least ¥1,234.50", "净消费额不低于 ¥1,234.50"),
        (
            Score(column="recency_days", comparison="above", value=90),
            "days since the last purchase above 90",
            "距上次购买天数高于 90",
        ),
        (
            Score(column="p_alive", comparison="below", value=0.25),
            "probability of being alive below 25%",
            "存续概率低于 25%",
        ),
        (
            Score(column="last_day", comparison="below", value=20_000),
            "last purchase before 2024-10-04",
            "最近购买日期早于 2024-10-04",
        ),
        (StoreIn(stores=("东门店", "")), "usual store is 东门店 or none", "常去门店为东门店或无"),
        (
            All(rules=(Known(), AnyOf(rules=(Warned(), Warned(reason="overdue"))))),
            "known by name, and (warned of leaving, or overdue by their own rhythm)",
            "身份已识别，且（有流失预警，或超过自己的购买节奏）",
        ),
        (Not(rule=Listed(what="tag", value="{VIP}")), "not (has the tag {VIP})", "不满足（带有标签“{VIP}”）"),
        (TextIs(column="category", how="contains", values=("茶",)), "category contains 茶", "品类包含茶"),
        (NumberIs(column="score", comparison="at_most", value=6), "score at most 6", "评分不高于 6"),
    ],
)
def test_a_rule_reads_as_a_sentence_in_both_languages(rule: Rule, en: str, zh: str) -> None:
    said = described(rule, named=naming.named(Cutoffs(names=(("champions", "Stars", "明星"),))))
    assert (said.en.replace("CN¥", "¥"), said.zh) == (en, zh)
