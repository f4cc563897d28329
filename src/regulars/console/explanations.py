"""What figures, stages and groups are called and mean, from the definitions in analytics."""

from dataclasses import dataclass

from regulars.kernel.languages import Text


@dataclass(frozen=True, slots=True)
class About:
    name: Text
    text: Text


STAGES: dict[str, Text] = {
    "potential": Text("Potential", "潜在"),
    "new": Text("New", "新客"),
    "active": Text("Active", "活跃"),
    "dormant": Text("Dormant", "沉睡"),
    "lost": Text("Lost", "流失"),
}
GROUPS: dict[str, Text] = {
    "champions": Text("High-value", "高价值"),
    "loyal": Text("Loyal", "忠诚"),
    "potential": Text("Potential", "潜力"),
    "new": Text("New", "新客"),
    "needs_attention": Text("Needs attention", "需关注"),
    "dormant": Text("Dormant", "沉睡"),
    "lost": Text("Lost", "流失"),
}


def of(key: str) -> About | None:
    return None


def stage_text(key: str) -> str:
    return str(STAGES.get(key, key))


def group_text(key: str) -> str:
    return str(GROUPS.get(key, key))
