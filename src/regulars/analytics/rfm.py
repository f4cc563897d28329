"""RFM: recency, frequency and monetary value as scores from 1 to 5, and the named groups that they make.

After Hughes, Strategic Database Marketing (1994): fifths of the population for each of the three.
"""

from typing import get_args

import ibis
import ibis.expr.types as ir

from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.kernel.languages import Text
from regulars.rules.schema import Group

# Other words than the stages of a lifecycle have, where the two would contradict each other in one row.
_NAMES = (
    Text(en="High-value", zh="高价值"),
    Text(en="Loyal", zh="忠诚"),
    Text(en="Potential", zh="潜力"),
    Text(en="First-time", zh="首单"),
    Text(en="Needs attention", zh="需关注"),
    Text(en="Dormant", zh="沉睡"),
    Text(en="Low-value", zh="低价值"),
)
GROUPS: dict[str, Text] = dict(zip(get_args(Group), _NAMES, strict=True))
"""Keys in order of worth, with their usual names; a business can give its own (`Cutoffs.names`)."""

# By the scores alone, as GRID and ONCE have it: how long "lately" is, only the cuts say, and of rhythm scores know
# nothing. A sentence such as "here not long ago" would contradict the days that stand beside it.
MEANING: dict[str, Text] = {
    "champions": Text(
        en="The best scores overall: R 4 or 5, F and M averaging above 3.",
        zh="整体得分最高：R 4–5 分，F 与 M 平均超过 3 分。",
    ),
    "loyal": Text(
        en="Solid, a step below the best: R 3 or more, F and M averaging above 2, but not above 3 where R is 4 or 5.",
        zh="得分稳健，距头部一步之遥：R 3 分起，F 与 M 平均超过 2 分；R 4–5 分的，平均不超过 3 分。",
    ),
    "potential": Text(
        en="Room to grow: R 3 or more, F and M averaging 2 or less. Who bought once: R 3.",
        zh="值得培养：R 3 分起，F 与 M 平均不超过 2 分；只买过一次的，R 为 3 分。",
    ),
    "new": Text(en="The first order so far: bought once, R 4 or 5.", zh="首单客户：只买过一次，R 4–5 分。"),
    "needs_attention": Text(
        en="Worth winning back: R 2 with F and M averaging above 2, or R 1 with them above 3.",
        zh="值得挽回：R 2 分、F 与 M 平均超过 2 分，或 R 1 分、平均超过 3 分。",
    ),
    "dormant": Text(
        en="Falling behind: R 2, F and M averaging 2 or less. Who bought once: R 2.",
        zh="得分偏低：R 2 分，F 与 M 平均不超过 2 分；只买过一次的，R 为 2 分。",
    ),
    "lost": Text(
        en="At the bottom: R 1, F and M averaging 3 or less. Who bought once: R 1.",
        zh="得分垫底：R 1 分，F 与 M 平均不超过 3 分；只买过一次的，R 为 1 分。",
    ),
}
"""R, F and M: the scores of recency, frequency and money. "只买过一次的" and "who bought once" have their own rule."""

_C, _L, _P, _N, _A, _D, _X = GROUPS

# Rows: r from 1 to 5. Columns: the mean of f and m, rounded up, from 1 to 5.
GRID: tuple[tuple[str, ...], ...] = (
    (_X, _X, _X, _A, _A),
    (_D, _D, _A, _A, _A),
    (_P, _P, _L, _L, _L),
    (_P, _P, _L, _C, _C),
    (_P, _P, _L, _C, _C),
)
# Who bought once, by r from 1 to 5: one order, however large, makes nobody loyal.
ONCE: tuple[str, ...] = (_X, _D, _P, _N, _N)


def name(key: str, cutoffs: Cutoffs | None = None) -> Text:
    """What a group is called: the business's own name or the usual one."""
    for own, en, zh in cutoffs.names if cutoffs else ():
        if own == key:
            return Text(en=en, zh=zh)
    return GROUPS[key]


def group_of(r: int, f: int, m: int, orders: int) -> str:
    """The group of one customer with these scores (the same rule as `group`, for pages that explain it)."""
    return ONCE[r - 1] if orders == 1 else GRID[r - 1][(f + m + 1) // 2 - 1]


def cuts(cutoffs: Cutoffs, thresholds: Thresholds) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The ascending cuts in force: of recency in days, of orders, of net spend in minor units."""
    if cutoffs.rfm == "fixed":
        return cutoffs.rfm_recency, cutoffs.rfm_orders, cutoffs.rfm_net
    return thresholds.recency, thresholds.orders, thresholds.net


def above(value: ir.Value, ascending: tuple[int, ...]) -> ir.Value:
    """How many of the cuts lie below the value: equal values always share a score."""
    return sum((ibis.ifelse(value > cut, 1, 0) for cut in ascending[1:]), ibis.ifelse(value > ascending[0], 1, 0))


def group(r: ir.Value, f: ir.Value, m: ir.Value, orders: ir.Value) -> ir.Value:
    """The key of the group; NULL where there are no scores."""
    cell = r * 10 + ((f + m + 1) // 2).cast("int64")
    once = [((orders == 1) & (r == row + 1), key) for row, key in enumerate(ONCE)]
    often = [
        (
            cell.isin(
                [(row + 1) * 10 + c + 1 for row, keys in enumerate(GRID) for c, k in enumerate(keys) if k == key]
            ),
            key,
        )
        for key in GROUPS
        if any(key in keys for keys in GRID)
    ]
    return ibis.cases(*once, *often)
