"""The customers' list as its address says it: filters, order and search, and the chips that show them."""

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import QueryDict

from regulars.analytics import lifecycle, rfm, traits
from regulars.console import explanations, formatting
from regulars.customers import queries
from regulars.kernel import clock, money
from regulars.kernel.languages import Text
from regulars.warehouse.queries.customers import Filters

LISTS = ("stage", "group", "mood", "taste", "store", "channel")
RANGES: dict[str, tuple[str, Text, str]] = {
    "net": ("net", Text("Net spend", "净消费"), "money"),
    "orders": ("orders", Text("Orders", "订单数"), "number"),
    "recency": ("recency_days", Text("Days since the last purchase", "距上次购买天数"), "number"),
    "value": ("expected_value", Text("Expected value", "预期价值"), "money"),
    "chance": ("p_alive", Text("Chance to come back", "再来的概率"), "percent"),
}
SORTS = ("net", "orders", "last_day", "first_day", "p_alive", "expected_value", "silent_days")
NAMES: dict[str, Text] = {
    "stage": Text("Stage", "阶段"),
    "group": Text("RFM group", "RFM 分组"),
    "mood": Text("Mood", "情绪"),
    "taste": Text("Taste", "偏好"),
    "store": Text("Store", "门店"),
    "channel": Text("Channel", "渠道"),
    "tag": Text("Tag", "标签"),
    "first": Text("First purchase", "首次购买"),
    "bought": Text("Bought", "购买过"),
    "risk": Text("At risk of leaving", "有流失风险"),
    "anonymous": Text("Anonymous visitors too", "包括匿名访客"),
}
BOUGHT = ("bought_store", "bought_channel", "since", "until")
"""Who bought there, that way, from that day to that day: what the figures of sales lead to."""
MOST_FOUND = 100


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on; `url` is the list without it."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Asked:
    q: str
    tag: str
    lists: dict[str, tuple[str, ...]]
    risk: bool
    scores: dict[str, int]
    ranges: dict[str, tuple[str, str]]
    first: tuple[date, date] | None  # from the first to the last day that the first purchase may be of
    bought: dict[str, str]
    anonymous: bool
    sort: str
    descending: bool
    given: QueryDict = field(repr=False)

    @property
    def narrowed(self) -> bool:
        return bool(self.chips or self.q)

    @property
    def query(self) -> str:
        """The address without the page."""
        return _without(self.given).urlencode()

    @property
    def chips(self) -> list[Chip]:
        chips = []
        for name in LISTS:
            chips += [
                Chip(_chip(NAMES[name], _said(name, value)), _url(self.given, name, value=value))
                for value in self.lists[name]
            ]
        if self.tag:
            chips.append(Chip(_chip(NAMES["tag"], self.tag), _url(self.given, "tag")))
        if self.first:
            between = _between(*map(formatting.day, self.first))
            said = formatting.month(_month(self.first[0])) if self.first_month else str(between)
            chips.append(Chip(_chip(NAMES["first"], said), _url(self.given, "first")))
        if self.bought:
            since, until = (self.bought.get(key) for key in ("since", "until"))
            days = _between(*(formatting.day(date.fromisoformat(day)) if day else "" for day in (since, until)))
            places = [self.bought[key] for key in ("bought_store", "bought_channel") if key in self.bought]
            said = " · ".join((*places, str(days)) if since or until else places)
            chips.append(Chip(_chip(NAMES["bought"], said), _url(self.given, *BOUGHT)))
        if self.risk:
            chips.append(Chip(str(NAMES["risk"]), _url(self.given, "risk")))
        if self.anonymous:
            chips.append(Chip(str(NAMES["anonymous"]), _url(self.given, "anonymous")))
        chips += [
            Chip(_chip(Text(name.upper(), name.upper()), str(score)), _url(self.given, name))
            for name, score in self.scores.items()
        ]
        for name, (low, high) in self.ranges.items():
            _, text, unit = RANGES[name]
            between = _between(*(_written(end, unit) for end in (low, high)))
            chips.append(Chip(_chip(text, str(between)), _url(self.given, f"{name}_min", f"{name}_max")))
        return chips

    @property
    def first_month(self) -> str:
        """The month of the first purchase, "" where days are given."""
        return f"{self.first[0]:%Y-%m}" if self.first and self.first == _whole_month(self.first[0]) else ""

    @property
    def under_more(self) -> int:
        """How many filters are on of those that the list shows under "More"."""
        chosen = (self.tag, self.first, self.bought, self.risk, self.anonymous)
        return len(self.ranges) + len(self.scores) + sum(map(bool, chosen))

    def filters(self) -> Filters:
        """As the warehouse takes them, but for the tag; a search narrows to whom it finds."""
        ranges: dict[str, tuple[float | None, float | None]] = {
            RANGES[name][0]: (_figure(low, RANGES[name][2]), _figure(high, RANGES[name][2]))
            for name, (low, high) in self.ranges.items()
        }
        if self.first:
            ranges["first_day"] = (clock.day_number(self.first[0]), clock.day_number(self.first[1]))
        days = {key: clock.day_number(date.fromisoformat(self.bought[key])) for key in BOUGHT[2:] if key in self.bought}
        found = tuple(card.id for card in queries.find(self.q, limit=MOST_FOUND)) if self.q else None
        return Filters(
            stages=self.lists["stage"],
            groups=self.lists["group"],
            moods=self.lists["mood"],
            tastes=self.lists["taste"],
            stores=self.lists["store"],
            channels=self.lists["channel"],
            warned=True if self.risk else None,
            known=None if self.q or self.anonymous else True,
            ranges=ranges,
            bought_store=self.bought.get("bought_store"),
            bought_channel=self.bought.get("bought_channel"),
            bought_since=days.get("since"),
            bought_until=days.get("until"),
            ids=found,
            r=self.scores.get("r"),
            f=self.scores.get("f"),
            m=self.scores.get("m"),
        )


def asked(given: QueryDict) -> Asked:
    """What makes no sense in an address is left out."""
    sort = given.get("sort", "-net")
    name = sort.removeprefix("-")
    known = {
        "stage": set(lifecycle.STAGES),
        "group": set(rfm.GROUPS),
        "mood": set(traits.MOODS),
        "taste": set(traits.TASTES),
    }
    return Asked(
        q=given.get("q", "").strip()[:200],
        tag=given.get("tag", "").strip()[:50],
        lists={
            key: tuple(value for value in given.getlist(key) if value and (key not in known or value in known[key]))
            for key in LISTS
        },
        risk=given.get("risk") == "1",
        scores={key: int(given.get(key, "")) for key in ("r", "f", "m") if given.get(key) in ("1", "2", "3", "4", "5")},
        ranges={
            key: ends
            for key in RANGES
            if any(ends := (_amount(given.get(f"{key}_min", "")), _amount(given.get(f"{key}_max", ""))))
        },
        first=_days(given.get("first", "")),
        bought={
            key: value
            for key in BOUGHT
            if (value := given.get(key, "")) and (key.startswith("bought_") or _day(value) is not None)
        },
        anonymous=given.get("anonymous") == "1",
        sort=name if name in SORTS else "net",
        descending=sort.startswith("-") or name not in SORTS,
        given=given,
    )


def _amount(text: str) -> str:
    try:
        amount = Decimal(text.replace(",", "").strip())
    except InvalidOperation:
        return ""
    return f"{amount.normalize():f}" if amount.is_finite() and abs(amount) < 10**12 else ""


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def between_days(since: date, until: date) -> str:
    """As `first` in an address has it."""
    return f"{since.isoformat()}..{until.isoformat()}"


def _days(text: str) -> tuple[date, date] | None:
    """2026-06, a whole month, or 2026-06-01..2026-06-28."""
    since, _, until = text.partition("..")
    if until:
        ends = _day(since), _day(until)
        return (ends[0], ends[1]) if ends[0] and ends[1] else None
    day = _day(f"{since}-01")
    return _whole_month(day) if day else None


def _whole_month(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    return first, first.replace(day=monthrange(day.year, day.month)[1])


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _figure(text: str, unit: str) -> float | None:
    if not text:
        return None
    if unit == "percent":
        return float(Decimal(text) / 100)
    return money.to_minor(text, formatting.business().currency) if unit == "money" else int(Decimal(text))


def _written(end: str, unit: str) -> str:
    """An end of a range as people write it: ¥1,234.50, 1,234."""
    if not end:
        return ""
    if unit == "money":
        amount = Decimal(end)
        minor = money.to_minor(amount, formatting.business().currency)
        return formatting.money(minor, whole=amount == int(amount))
    return f"{end}%" if unit == "percent" else formatting.number(Decimal(end))


def _between(low: str, high: str) -> Text:
    if low and high:
        return Text("{low} to {high}", "{low} 至 {high}").filled(low=low, high=high)
    if low:
        return Text("at least {low}", "至少 {low}").filled(low=low)
    return Text("at most {high}", "至多 {high}").filled(high=high)


def _chip(name: Text, said: str) -> str:
    return str(Text("{name}: {said}", "{name}：{said}").filled(name=name, said=said))


def _said(name: str, value: str) -> str:
    if name == "stage":
        return str(explanations.stage_text(value))
    if name == "group":
        return str(explanations.group_text(value))
    if name == "mood":
        return str(explanations.mood_text(value))
    return str(explanations.taste_text(value)) if name == "taste" else value


def _without(given: QueryDict) -> QueryDict:
    rest = given.copy()
    for name in ("after", "save"):
        rest.pop(name, None)
    return rest


def _url(given: QueryDict, *names: str, value: str | None = None) -> str:
    rest = _without(given)
    for name in names:
        rest.setlist(name, [other for other in rest.getlist(name) if value is not None and other != value])
    return "?" + rest.urlencode()


def columns(given: QueryDict) -> list[dict[str, Any]]:
    """The heads of the table: text, address that sorts by it, how it is sorted now, the figure's key."""
    now = given.get("sort", "-net")
    heads = (
        ("net", Text("Net spend", "净消费"), "net"),
        ("orders", Text("Orders", "订单"), "orders"),
        ("last_day", Text("Last purchase", "最近购买"), ""),
        ("p_alive", Text("Comes back", "会再来"), "p_alive"),
        ("expected_value", Text("Expected value", "预期价值"), "expected_value"),
    )
    found = []
    for name, text, about in heads:
        rest = _without(given)
        rest["sort"] = name if now == f"-{name}" else f"-{name}"
        order = "descending" if now == f"-{name}" else "ascending" if now == name else ""
        found.append({"text": text, "url": "?" + rest.urlencode(), "order": order, "about": about})
    return found
