"""The settings as fields of a form: read from what is stored, and back from what was typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import InvalidOperation
from typing import Any

from regulars.accounts.queries import Business
from regulars.analytics import rfm
from regulars.analytics.cutoffs import Cutoffs
from regulars.kernel import money
from regulars.kernel.errors import Faults, Invalid
from regulars.kernel.languages import Text


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    text: Text
    unit: Text


DAYS, PERCENT, VISITS = Text("days", "天"), Text("%", "%"), Text("visits", "次到访")
LIFECYCLE = (
    Field("own_rhythm_visits", Text("Judged by their own rhythm from", "按客户自己的节奏判断，需满"), VISITS),
    Field("gap_default", Text("Rhythm while nobody has come twice", "尚无人复购时的默认间隔"), DAYS),
    Field("gap_least", Text("Shortest rhythm", "最短间隔"), DAYS),
    Field("gap_most", Text("Longest rhythm", "最长间隔"), DAYS),
    Field("dormant_percent", Text("Dormant from this part of the rhythm", "沉睡：超过正常间隔的"), PERCENT),
    Field("dormant_least_days", Text("but not before", "沉睡：且至少"), DAYS),
    Field("lost_percent", Text("Lost from this part of the rhythm", "流失：超过正常间隔的"), PERCENT),
    Field("lost_least_days", Text("but not before", "流失：且至少"), DAYS),
)
CHURN = (
    Field("churn_silent_days", Text("Silent for more than", "没有互动超过"), DAYS),
    Field("churn_spend_percent", Text("and spend down by at least", "且消费下降至少"), PERCENT),
    Field("churn_window_days", Text("comparing windows of", "比较前后两段，每段"), DAYS),
    Field("overdue_percent", Text("Overdue from this part of the own rhythm", "逾期：超过自身节奏的"), PERCENT),
    Field("overdue_least_days", Text("but not before", "逾期：且至少"), DAYS),
)
CUTS = (
    ("rfm_recency", Text("Recency: days since the last purchase, up to", "最近购买：距今天数不超过")),
    ("rfm_orders", Text("Frequency: orders, up to", "购买频次：订单数不超过")),
    ("rfm_net", Text("Money: net spend, up to", "消费金额：净消费不超过")),
)


def filled(business: Business, cutoffs: Cutoffs) -> dict[str, Any]:
    """Every input's value as people read it (money in major units)."""
    values: dict[str, Any] = {
        "name": business.name, "zone": business.zone, "currency": business.currency, "region": business.region,
        "rfm": cutoffs.rfm, "as_of": business.more.get("as_of", "auto"),
    }  # fmt: skip
    values |= {field.name: getattr(cutoffs, field.name) for field in (*LIFECYCLE, *CHURN)}
    for name, _ in CUTS:
        for place, cut in enumerate(getattr(cutoffs, name)):
            shown = money.major(cut, business.currency).normalize() if name == "rfm_net" else cut
            values[f"{name}_{place}"] = f"{shown:f}" if name == "rfm_net" else shown
    own = {key: (en, zh) for key, en, zh in cutoffs.names}
    for key in rfm.GROUPS:
        values[f"group_{key}_en"], values[f"group_{key}_zh"] = own.get(key, ("", ""))
    return values


def _whole(given: Mapping[str, str], name: str) -> int:
    try:
        return int(given.get(name, "").strip())
    except ValueError:
        raise Invalid("number", Text("Give a whole number.", "请填写整数。"), field=name) from None


def _cut(given: Mapping[str, str], name: str, place: int, currency: str) -> int:
    if name != "rfm_net":
        return _whole(given, f"{name}_{place}")
    try:
        return money.to_minor(given.get(f"{name}_{place}", "").strip(), currency)
    except InvalidOperation:
        raise Invalid("number", Text("Give an amount.", "请填写金额。"), field=f"{name}_{place}") from None


def cutoffs_from(given: Mapping[str, str], currency: str) -> Cutoffs:
    """Raises Invalid with the field for what can't be, and everything else that can't."""
    names = []
    for key, usual in rfm.GROUPS.items():
        en, zh = given.get(f"group_{key}_en", "").strip()[:40], given.get(f"group_{key}_zh", "").strip()[:40]
        if en or zh:
            names.append((key, en or usual.en, zh or usual.zh))
    faults, read = Faults(), dict[str, Any]()
    for field in (*LIFECYCLE, *CHURN):
        with faults.caught():
            read[field.name] = _whole(given, field.name)
    for name, _ in CUTS:
        cuts = []
        for place in range(4):
            with faults.caught():
                cuts.append(_cut(given, name, place, currency))
        if len(cuts) == 4:
            read[name] = tuple(cuts)
    with faults.caught():  # what can't be read is judged as if it were left as usual
        cutoffs = Cutoffs(rfm="fixed" if given.get("rfm") == "fixed" else "quintiles", names=tuple(names), **read)
    faults.tell()
    return cutoffs
