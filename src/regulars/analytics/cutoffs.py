"""Where figures become judgements: the settings of the business (`Cutoffs`) and the population's own (`Thresholds`).

Both are frozen and hashable, so that compiled definitions can be kept by them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any, Literal

from regulars.kernel.errors import Faults, Invalid
from regulars.kernel.languages import Text

PERCENTS = (10, 20, 25, 40, 50, 60, 75, 80, 90, 95)
"""Which percentiles of the population are kept."""


MOST = 10**15
MOST_DAYS = 100_000
"""No cut-off is larger: amounts and orders, days and percents. Beyond it is a slip, and sums would overflow."""
_TOO_MUCH = Text(en="This number is too large, or below zero.", zh="数字过大，或小于 0。")
_ORDER = Text(en="Give four numbers, each greater than the one before.", zh="请填写四个由小到大的数字。")
_GAPS = Text(en="The least rhythm is above the greatest.", zh="最短周期大于最长周期。")
_LOST = Text(en="Lost can't come before dormant.", zh="“流失”不能早于“沉睡”。")
_PERCENT = Text(en="A percentage between 0 and 100.", zh="请填写 0 到 100 之间的百分比。")
_POSITIVE = frozenset(
    {
        *("own_rhythm_visits", "gap_default", "gap_least", "gap_most", "dormant_percent", "lost_percent"),
        *("churn_window_days", "churn_silent_days", "overdue_percent"),
    }
)

_SCORED = {
    "quintiles": Text(
        en="Scores are fifths: all buyers are cut at the values below which 20, 40, 60 and 80 % of them lie.",
        zh="得分按五等分：以全体购买客户的 20%、40%、60%、80% 分位值为分界。",
    ),
    "fixed": Text(en="Scores follow the fixed cut-offs of the settings.", zh="得分按设置中的固定分界划定。"),
}


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Everything a business can set about the judgement of its customers. Days, percents, integer minor units."""

    rfm: Literal["quintiles", "fixed"] = "quintiles"
    """Score by fifths of the buyers, or by the three fixed lists below."""
    rfm_recency: tuple[int, int, int, int] = (30, 90, 180, 365)
    """Days since the last purchase, ascending: up to the first is r = 5, beyond the last r = 1."""
    rfm_orders: tuple[int, int, int, int] = (1, 2, 4, 8)
    """Orders, ascending: up to the first is f = 1, beyond the last f = 5."""
    rfm_net: tuple[int, int, int, int] = (10_000, 50_000, 200_000, 1_000_000)
    """Net spend, minor units, ascending: up to the first is m = 1, beyond the last m = 5."""
    names: tuple[tuple[str, str, str], ...] = ()
    """Own names of RFM groups: (key, English, Chinese)."""

    own_rhythm_visits: int = 3
    """From so many visits on, a customer is judged by their own rhythm."""
    gap_default: int = 60
    """The rhythm in days where not even the population has one yet."""
    gap_least: int = 7
    gap_most: int = 365
    """A rhythm outside of these bounds is taken as the bound."""
    dormant_percent: int = 200
    dormant_least_days: int = 30
    """Dormant from more than this percentage of the rhythm since the last purchase, never before so many days."""
    lost_percent: int = 400
    lost_least_days: int = 90
    """Lost, likewise."""

    churn_silent_days: int = 90
    """Warn after more days without any sign of life …"""
    churn_spend_percent: int = 40
    """… if spend also fell by at least this percentage …"""
    churn_window_days: int = 182
    """… from the window of so many days before the last one to the last one."""
    overdue_percent: int = 200
    overdue_least_days: int = 14
    """Overdue from more than this percentage of the customer's own rhythm, never before so many days."""

    def __post_init__(self) -> None:
        """Raises Invalid at the first setting that can't be, with the others."""
        faults = Faults()
        for setting in fields(self):
            with faults.caught():
                self._check(setting.name)
        faults.tell()

    def _check(self, name: str) -> None:
        value = getattr(self, name)
        if name in ("rfm_recency", "rfm_orders", "rfm_net"):
            if any(abs(cut) > MOST for cut in value):
                raise Invalid("cutoffs.most", _TOO_MUCH, field=name)
            if len(value) != 4 or any(a >= b for a, b in pairwise(value)):
                raise Invalid("cutoffs.order", _ORDER, field=name)
        if name in _POSITIVE and value < 1:
            raise Invalid("cutoffs.positive", Text(en="Must be at least 1.", zh="不能小于 1。"), field=name)
        if isinstance(value, int) and not 0 <= value <= MOST_DAYS:
            raise Invalid("cutoffs.most", _TOO_MUCH, field=name)
        if name == "own_rhythm_visits" and value < 2:
            raise Invalid("cutoffs.rhythm", Text(en="A rhythm needs at least 2.", zh="至少需要 2 次。"), field=name)
        if name == "gap_least" and value > self.gap_most:
            raise Invalid("cutoffs.gaps", _GAPS, field=name)
        if name == "lost_percent" and (value < self.dormant_percent or self.lost_least_days < self.dormant_least_days):
            raise Invalid("cutoffs.lost", _LOST, field=name)
        if name == "churn_spend_percent" and not 0 <= value <= 100:
            raise Invalid("cutoffs.percent", _PERCENT, field=name)

    def said(self) -> dict[str, object]:
        """The numbers in force by the names under which explanations hold a place for them."""
        times = {
            f"{name}_times": f"{getattr(self, f'{name}_percent') / 100:g}" for name in ("dormant", "lost", "overdue")
        }
        return asdict(self) | times | {"rfm_scores": _SCORED[self.rfm]}

    def to_json(self) -> dict[str, Any]:
        """What the settings store: lists for tuples."""
        return {
            name: [list(v) if isinstance(v, tuple) else v for v in value] if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Cutoffs":
        """From stored settings; what isn't given keeps its default, what isn't known is ignored.

        Raises Invalid, with the field, for what makes no sense.
        """
        known = {field.name for field in fields(cls)}
        return cls(**{name: _frozen(value) for name, value in stored.items() if name in known})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a full refresh learns of the whole population and a live refresh judges single customers by.

    Four ascending cuts each: the values at 20, 40, 60 and 80 % of the buyers (basket: their average order). `gap` is
    the population's rhythm in days (the median over customers with two visits or more of their own average), None
    where nobody came twice.
    """

    recency: tuple[int, int, int, int] = (0, 0, 0, 0)
    orders: tuple[int, int, int, int] = (0, 0, 0, 0)
    net: tuple[int, int, int, int] = (0, 0, 0, 0)
    basket: tuple[int, int, int, int] = (0, 0, 0, 0)
    gap: int | None = None
    gap_percentiles: tuple[tuple[int, int], ...] = ()
    buyers: int = 0

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[Any, ...]]) -> "Thresholds":
        """From the rows of `scores.thresholds`: (dimension, people, the value at each of PERCENTS)."""
        found = {row[0]: (row[1], dict(zip(PERCENTS, row[2:], strict=True))) for row in rows}

        def cuts(dimension: str) -> tuple[int, int, int, int]:
            if dimension not in found:
                return (0, 0, 0, 0)
            at = found[dimension][1]
            return (at[20], at[40], at[60], at[80])

        gaps = found["gap"][1] if "gap" in found else {}
        return cls(
            recency=cuts("recency"),
            orders=cuts("orders"),
            net=cuts("net"),
            basket=cuts("basket"),
            gap=gaps.get(50),
            gap_percentiles=tuple(gaps.items()),
            buyers=found["orders"][0] if "orders" in found else 0,
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Thresholds":
        return cls(**{name: _frozen(value) for name, value in stored.items()})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value
