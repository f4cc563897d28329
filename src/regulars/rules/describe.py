"""Rules as sentences in both languages."""

from collections.abc import Callable, Sequence

from regulars.kernel import clock, money
from regulars.kernel.languages import Text
from regulars.rules.schema import (
    All,
    AnyOf,
    ChannelIn,
    Comparison,
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

Named = Callable[[str, str], Text]
"""(kind, key) → what people call it: ("stage", "active"), ("store", "s7"), ("tag", "vip")."""

COLUMNS: dict[str, Text] = {
    "orders": Text(en="orders", zh="订单数"),
    "gross": Text(en="spend before discounts and refunds", zh="优惠与退款前消费额"),
    "net": Text(en="net spend", zh="净消费额"),
    "spend_recent": Text(en="spend of the last half-year", zh="近半年消费额"),
    "spend_before": Text(en="spend of the half-year before", zh="前半年消费额"),
    "recency_days": Text(en="days since the last purchase", zh="距上次购买天数"),
    "silent_days": Text(en="days without a sign of life", zh="静默天数"),
    "gap_days": Text(en="usual days between purchases", zh="平均购买间隔天数"),
    "first_day": Text(en="first purchase", zh="首次购买日期"),
    "last_day": Text(en="last purchase", zh="最近购买日期"),
    "last_seen_day": Text(en="last sign of life", zh="最近活跃日期"),
    "r": Text(en="recency score (R)", zh="最近购买得分（R）"),
    "f": Text(en="frequency score (F)", zh="购买频次得分（F）"),
    "m": Text(en="monetary score (M)", zh="消费金额得分（M）"),
    "p_alive": Text(en="probability of being alive", zh="存续概率"),
    "expected_orders": Text(en="orders expected in a year", zh="未来一年预期订单数"),
    "expected_value": Text(en="value expected in a year", zh="未来一年预期价值"),
    "name": Text(en="event", zh="事件"),
    "store": Text(en="store", zh="门店"),
    "channel": Text(en="channel", zh="渠道"),
    "product_id": Text(en="product", zh="商品"),
    "category": Text(en="category", zh="品类"),
    "order_id": Text(en="order", zh="订单号"),
    "amount": Text(en="amount", zh="金额"),
    "score": Text(en="score", zh="评分"),
}
_MONEY = {"gross", "net", "spend_recent", "spend_before", "expected_value", "amount"}
_DAYS = {"first_day", "last_day", "last_seen_day"}
_COMPARED: dict[Comparison, Text] = {
    "is": Text(en="{what} is {value}", zh="{what}等于 {value}"),
    "at_least": Text(en="{what} at least {value}", zh="{what}不低于 {value}"),
    "at_most": Text(en="{what} at most {value}", zh="{what}不高于 {value}"),
    "above": Text(en="{what} above {value}", zh="{what}高于 {value}"),
    "below": Text(en="{what} below {value}", zh="{what}低于 {value}"),
}
_ON_DAYS: dict[Comparison, Text] = {
    "is": Text(en="{what} on {value}", zh="{what}为 {value}"),
    "at_least": Text(en="{what} on or after {value}", zh="{what}不早于 {value}"),
    "at_most": Text(en="{what} on or before {value}", zh="{what}不晚于 {value}"),
    "above": Text(en="{what} after {value}", zh="{what}晚于 {value}"),
    "below": Text(en="{what} before {value}", zh="{what}早于 {value}"),
}
_WARNED = {
    "any": Text(en="warned of leaving", zh="有流失预警"),
    "silent": Text(en="silent for too long", zh="静默过久"),
    "spend": Text(en="spend fell sharply", zh="消费明显下降"),
    "overdue": Text(en="overdue by their own rhythm", zh="超过自己的购买节奏"),
}
_LISTED = {
    "tag": Text(en="has the tag {value}", zh="带有标签“{value}”"),
    "consent": Text(en="agreed to {value}", zh="已同意{value}"),
    "segment": Text(en="is in the segment {value}", zh="属于分群“{value}”"),
}


def plainly(kind: str, key: str) -> Text:
    """Keys as their own names."""
    return Text(en=key, zh=key)


def described(rule: Rule, *, named: Named = plainly, currency: str = "CNY") -> Text:
    """One sentence without a full stop. Mixed "and" and "or" are told apart by brackets."""

    def several(parts: Sequence[Rule], en: str, zh: str) -> Text:
        said = [described(part, named=named, currency=currency) for part in parts]
        mixed = [isinstance(part, All | AnyOf) and len(part.rules) > 1 for part in parts]
        return Text(
            en=en.join(f"({text.en})" if nested else text.en for text, nested in zip(said, mixed, strict=True)),
            zh=zh.join(f"（{text.zh}）" if nested else text.zh for text, nested in zip(said, mixed, strict=True)),
        )

    def names(kind: str, keys: Sequence[str]) -> Text:
        nothing = Text(en="none", zh="无")
        said = [named(kind, key) if key else nothing for key in keys]
        return Text(en=" or ".join(text.en for text in said), zh="或".join(text.zh for text in said))

    def number(column: str, value: int | float) -> Text:
        if column in _MONEY:
            return Text(
                en=money.formatted(round(value), currency, "en"), zh=money.formatted(round(value), currency, "zh-hans")
            )
        if column in _DAYS:
            day = clock.day_of(int(value)).isoformat()
            return Text(en=day, zh=day)
        said = f"{value * 100:g}%" if column == "p_alive" else f"{value:,}" if isinstance(value, int) else f"{value:g}"
        return Text(en=said, zh=said)

    match rule:
        case All(rules=()):
            return Text(en="everybody", zh="所有客户")
        case All():
            return several(rule.rules, ", and ", "，且")
        case AnyOf():
            return several(rule.rules, ", or ", "，或")
        case Not():
            inner = described(rule.rule, named=named, currency=currency)
            return Text(en="not ({said})", zh="不满足（{said}）").filled(said=inner)
        case StageIn():
            return Text(en="stage is {names}", zh="阶段为{names}").filled(names=names("stage", rule.stages))
        case GroupIn():
            return Text(en="RFM group is {names}", zh="RFM 分组为{names}").filled(names=names("rfm_group", rule.groups))
        case Score() | NumberIs():
            patterns = _ON_DAYS if rule.column in _DAYS else _COMPARED
            pattern = patterns[rule.comparison]
            return pattern.filled(what=COLUMNS[rule.column], value=number(rule.column, rule.value))
        case StoreIn():
            return Text(en="usual store is {names}", zh="常去门店为{names}").filled(names=names("store", rule.stores))
        case ChannelIn():
            pattern = Text(en="usual channel is {names}", zh="常用渠道为{names}")
            return pattern.filled(names=names("channel", rule.channels))
        case Warned():
            return _WARNED[rule.reason]
        case Known():
            return Text(en="known by name", zh="身份已识别")
        case Listed():
            return _LISTED[rule.what].filled(value=named(rule.what, rule.value))
        case TextIs():
            pattern = (
                Text(en="{what} is {names}", zh="{what}为{names}")
                if rule.how == "one_of"
                else Text(en="{what} contains {names}", zh="{what}包含{names}")
            )
            return pattern.filled(what=COLUMNS[rule.column], names=names(rule.column, rule.values))
