"""The customers' list as its address says it: filters, order and search, and the chips that show them."""

from calendar import monthrange
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from django.http import QueryDict

from regulars.analytics import lifecycle, rfm, traits
from regulars.console import explanations, formatting
from regulars.customers import queries
from regulars.kernel import clock, money
from regulars.kernel.languages import Text
from regulars.warehouse.queries.customers import EVER, Filters

LISTS = ("stage", "group", "mood", "taste", "store", "channel")
RANGES: dict[str, tuple[str, Text, str]] = {
    "net": ("net", Text("Net spend", "净消费"), "money"),
    "orders": ("orders", Text("Orders", "订单数"), "number"),
    "recency": ("recency_days", Text("Days since the last purchase", "距上次购买天数"), "number"),
    "value": ("expected_value", Text("Expected value", "预期价值"), "money"),
    "chance": ("p_alive", Text("Chance to come back", "再来的概率"), "percent"),
}
_AMOUNT = Text("Give an amount, such as 1200 or 99.50.", "请填写金额，例如 1200 或 99.50。")
_WORTH = Text("Give an amount of 0 or more.", "请填写不小于 0 的金额。")
_COUNT = Text("Give a whole number, 0 or more.", "请填写不小于 0 的整数。")
_SHARE = Text("Give a share from 0 to 100 percent.", "请填写 0 到 100 之间的百分比。")
_CROSSED = Text("This ends before it begins: swap the two.", "下限大于上限，请对调。")
HINTS = {"net": _AMOUNT, "orders": _COUNT, "recency": _COUNT, "value": _WORTH, "chance": _SHARE}
"""What can stand at the ends of a range. Net spend may lie below zero: who gave back more than they bought."""
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
    "came": Text("Bought in", "当月购买"),
    "again": Text("Came again", "再次购买"),
    "lost": Text("Newly lost", "新近流失"),
    "risk": Text("About to leave", "即将流失"),
    "anonymous": Text("Anonymous visitors too", "包括匿名访客"),
}
PLACES = ("bought_store", "bought_channel", "bought_category", "bought_product")
BOUGHT = (*PLACES, "since", "until")
"""Who bought there, that way, of that kind ("": the line says nothing), from that day to that day: figures of sales."""
SAID = ("nps", "csat", "said_store", "said_since", "said_until")
"""Whose last answer of the days was so: figures of surveys."""
LED = (*BOUGHT, "before", "came", "again", *SAID, "lost")
"""What only links from figures say, and no field of the list."""
AGAIN: dict[str, tuple[int, Text]] = {
    "30": (30, Text("within 30 days of the first purchase", "首购后 30 天内")),
    "60": (60, Text("within 60 days of the first purchase", "首购后 60 天内")),
    "90": (90, Text("within 90 days of the first purchase", "首购后 90 天内")),
    "ever": (EVER, Text("on a later day than the first", "首购日之后")),
}
ANSWERS: dict[tuple[str, str], tuple[int, int, Text]] = {
    ("nps", "any"): (0, 10, Text("NPS: answered", "NPS：已回答")),
    ("nps", "promoters"): (9, 10, Text("NPS: promoters (9–10)", "NPS：推荐者（9–10 分）")),
    ("nps", "passives"): (7, 8, Text("NPS: passives (7–8)", "NPS：中立者（7–8 分）")),
    ("nps", "detractors"): (0, 6, Text("NPS: detractors (0–6)", "NPS：贬损者（0–6 分）")),
    ("csat", "any"): (1, 5, Text("CSAT: answered", "CSAT：已回答")),
    ("csat", "satisfied"): (4, 5, Text("CSAT: satisfied (4–5)", "CSAT：满意（4–5 分）")),
    ("csat", "unsatisfied"): (1, 3, Text("CSAT: not satisfied (1–3)", "CSAT：不满意（1–3 分）")),
}
RISK: dict[str, tuple[bool, Text]] = {
    "1": (True, NAMES["risk"]),
    "lost": (False, Text("Warned of, and lost already", "曾有流失预警，现已流失")),
}
NOT_SAID = Text("not said", "未注明")
MOST_FOUND = 100
KNOWN: dict[str, Collection[str]] = {
    "stage": lifecycle.STAGES, "group": rfm.GROUPS, "mood": traits.MOODS, "taste": traits.TASTES,
}  # fmt: skip
_FROM_FIGURES = Text("From a figure", "来自指标")
_SCORES = ("1", "2", "3", "4", "5")


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on; `url` is the list without it. One that is `unknown` nobody matches."""

    text: str
    url: str
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    q: str
    tag: str
    lists: dict[str, tuple[str, ...]]
    risk: str  # a key of RISK, or ""
    scores: dict[str, int]
    ranges: dict[str, tuple[str, str]]
    first: tuple[date, date] | None  # from the first to the last day that the first purchase may be of
    led: dict[str, str]  # of LED, what is there and makes sense
    anonymous: bool
    sort: str
    descending: bool
    nonsense: tuple[tuple[Text, str, str], ...]  # (name, what was given, its parameter), where that can't be read
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
                Chip(
                    _chip(NAMES[name], _said(name, value)),
                    _url(self.given, name, value=value),
                    name in KNOWN and value not in KNOWN[name],
                )
                for value in self.lists[name]
            ]
        if self.tag:
            chips.append(Chip(_chip(NAMES["tag"], self.tag), _url(self.given, "tag")))
        if self.first:
            between = _between(*map(formatting.day, self.first))
            said = formatting.month(_month(self.first[0])) if self.first_month else str(between)
            chips.append(Chip(_chip(NAMES["first"], said), _url(self.given, "first")))
        chips += [Chip(text, _url(self.given, *names)) for text, names in self._led_chips()]
        if self.risk:
            chips.append(Chip(str(RISK[self.risk][1]), _url(self.given, "risk")))
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
        chips += [Chip(_chip(text, value), _url(self.given, name), True) for text, value, name in self.nonsense]
        return chips

    @property
    def first_month(self) -> str:
        """The month of the first purchase, "" where days are given."""
        return f"{self.first[0]:%Y-%m}" if self.first and self.first == _whole_month(self.first[0]) else ""

    @property
    def unknown(self) -> list[str]:
        return [chip.text for chip in self.chips if chip.unknown]

    @property
    def under_more(self) -> int:
        """How many filters are on of those that the list shows under "More"."""
        chosen = (self.tag, self.first, self.risk, self.anonymous)
        return (
            len(self.nonsense) + len(self.ranges) + len(self.scores) + sum(map(bool, chosen)) + len(self._led_chips())
        )

    def _led_chips(self) -> list[tuple[str, tuple[str, ...]]]:
        """What the filters that only links say read like, and their names in the address."""
        led, found = self.led, list[tuple[str, tuple[str, ...]]]()

        def days(since: str, until: str) -> list[str]:
            ends = [formatting.day(date.fromisoformat(led[name])) if name in led else "" for name in (since, until)]
            if all(ends):
                return [str(_between(*ends))]
            text = Text("from {day} on", "{day} 起") if ends[0] else Text("until {day}", "截至 {day}")
            return [str(text.filled(day="".join(ends)))] if any(ends) else []

        if "before" in led:
            said = Text("before {day}", "早于 {day}").filled(day=formatting.day(date.fromisoformat(led["before"])))
            found.append((_chip(NAMES["first"], str(said)), ("before",)))
        if led.keys() & set(BOUGHT):
            places = [led[key] or str(NOT_SAID) for key in PLACES if key in led]
            found.append((_chip(NAMES["bought"], " · ".join(places + days("since", "until"))), BOUGHT))
        if "came" in led:
            found.append((_chip(NAMES["came"], formatting.month(_month(_first_of(led["came"])))), ("came",)))
        if "again" in led:
            found.append((_chip(NAMES["again"], str(AGAIN[led["again"]][1])), ("again",)))
        if kind := self.survey:
            places = [led["said_store"] or str(NOT_SAID)] if "said_store" in led else []
            answers = (str(ANSWERS[kind, led[kind]][2]), *places, *days("said_since", "said_until"))
            found.append((" · ".join(answers), SAID))
        if "lost" in led:
            found.append((_chip(NAMES["lost"], str(Text("this month", "本月"))), ("lost",)))
        return found

    @property
    def survey(self) -> str:
        """Which survey's answers are asked for; "" for none."""
        return next((kind for kind in ("nps", "csat") if kind in self.led), "")

    def filters(self) -> Filters:
        """As the warehouse takes them, but for the tag; a search narrows to whom it finds."""
        ranges: dict[str, tuple[float | None, float | None]] = {
            RANGES[name][0]: (_figure(low, RANGES[name][2]), _figure(high, RANGES[name][2]))
            for name, (low, high) in self.ranges.items()
        }
        if self.first:
            ranges["first_day"] = (clock.day_number(self.first[0]), clock.day_number(self.first[1]))
        led, kind = self.led, self.survey
        days = {key: clock.day_number(date.fromisoformat(led[key])) for key in _DAYS if key in led}
        if "before" in led:
            ranges["first_day"] = (ranges.get("first_day", (None, None))[0], days["before"] - 1)
        least, most, _ = ANSWERS[kind, led[kind]] if kind else (0, 10, None)
        found = tuple(card.id for card in queries.find(self.q, limit=MOST_FOUND)) if self.q else None
        if self.nonsense:
            found = ()
        return Filters(
            stages=self.lists["stage"],
            groups=self.lists["group"],
            moods=self.lists["mood"],
            tastes=self.lists["taste"],
            stores=self.lists["store"],
            channels=self.lists["channel"],
            leaving=RISK[self.risk][0] if self.risk else None,
            known=None if self.q or self.anonymous or kind else True,  # a visitor of no name may have answered
            ranges=ranges,
            bought_store=led.get("bought_store"),
            bought_channel=led.get("bought_channel"),
            bought_category=led.get("bought_category"),
            bought_product=led.get("bought_product"),
            bought_since=days.get("since"),
            bought_until=days.get("until"),
            came=_month(_first_of(led["came"])) if "came" in led else None,
            again=AGAIN[led["again"]][0] if "again" in led else None,
            newly_lost="lost" in led,
            said=kind or None,
            said_least=least,
            said_most=most,
            said_since=days.get("said_since"),
            said_until=days.get("said_until"),
            said_store=led.get("said_store") if kind else None,
            ids=found,
            r=self.scores.get("r"),
            f=self.scores.get("f"),
            m=self.scores.get("m"),
        )


def asked(given: QueryDict) -> Asked:
    """What an address asks for and nobody can match lists nobody and is told: everybody would be somebody else's list,
    which a deed on the whole list would then be done to.
    """
    sort = given.get("sort", "-net")
    name = sort.removeprefix("-")
    return Asked(
        q=given.get("q", "").strip()[:200],
        tag=given.get("tag", "").strip()[:50],
        lists={key: tuple(value for value in given.getlist(key) if value) for key in LISTS},
        risk=risk if (risk := given.get("risk", "")) in RISK else "",
        scores={key: int(given.get(key, "")) for key in ("r", "f", "m") if given.get(key) in _SCORES},
        ranges={key: ends for key in RANGES if any(ends := _ends(given, key)) and not _crossed(*ends)},
        first=_days(given.get("first", "")),
        led={name: given.get(name, "") for name in LED if name in given and _makes_sense(name, given.get(name, ""))},
        anonymous=given.get("anonymous") == "1",
        sort=name if name in SORTS else "net",
        descending=sort.startswith("-") or name not in SORTS,
        nonsense=tuple(_nonsense(given)),
        given=given,
    )


def _nonsense(given: QueryDict) -> Iterator[tuple[Text, str, str]]:
    readable: list[tuple[Text, str, Callable[[str], object]]] = [
        (Text(key.upper(), key.upper()), key, lambda value: value in _SCORES) for key in ("r", "f", "m")
    ]
    readable += [
        (text, f"{key}_{end}", partial(_end, key)) for key, (_, text, _) in RANGES.items() for end in ("min", "max")
    ]
    readable.append((NAMES["first"], "first", _days))
    readable.append((NAMES["risk"], "risk", RISK.get))
    readable += [(NAMES.get(key, _FROM_FIGURES), key, partial(_makes_sense, key)) for key in LED]
    for text, key, read in readable:
        value = given.get(key, "").strip()
        if value and not read(value):
            yield text, value[:60], key
    for key, (_, text, unit) in RANGES.items():
        low, high = _ends(given, key)
        if _crossed(low, high):
            yield text, str(_between(_written(low, unit), _written(high, unit))), f"{key}_max"


def _ends(given: QueryDict, key: str) -> tuple[str, str]:
    return _end(key, given.get(f"{key}_min", "")), _end(key, given.get(f"{key}_max", ""))


def _end(key: str, text: str) -> str:
    """An end of a range as a plain figure, "" for none and for one that can't be."""
    try:
        amount = Decimal(text.replace(",", "").strip())
    except InvalidOperation:
        return ""
    if not amount.is_finite() or abs(amount) >= 10**12 or (amount < 0 and key != "net"):
        return ""
    unit = RANGES[key][2]
    if (unit == "percent" and amount > 100) or (unit == "number" and amount != int(amount)):
        return ""
    return f"{amount.normalize():f}"


def _crossed(low: str, high: str) -> bool:
    return bool(low and high) and Decimal(low) > Decimal(high)


def ranges(given: QueryDict) -> list[dict[str, Any]]:
    """The ranges as the list's form shows them: with what was typed, and what is wrong with it."""
    found = []
    for key, (_, text, unit) in RANGES.items():
        ends, typed = _ends(given, key), [given.get(f"{key}_{end}", "").strip()[:60] for end in ("min", "max")]
        wrong = [bool(said) and not end for end, said in zip(ends, typed, strict=True)]
        crossed = _crossed(*ends)
        shown = [end or said for end, said in zip(ends, typed, strict=True)]
        fault = HINTS[key] if any(wrong) else _CROSSED if crossed else None
        found.append(
            {"key": key, "text": text, "unit": unit, "from": shown[0], "to": shown[1], "fault": fault,
             "wrong_from": wrong[0] or crossed, "wrong_to": wrong[1] or crossed}
        )  # fmt: skip
    return found


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


_DAYS = ("since", "until", "before", "said_since", "said_until")


def _makes_sense(name: str, value: str) -> bool:
    if name in _DAYS:
        return _day(value) is not None
    if name in ("nps", "csat"):
        return (name, value) in ANSWERS
    if name == "again":
        return value in AGAIN
    if name == "lost":
        return value == "1"
    return name != "came" or _day(f"{value}-01") is not None


def _first_of(month: str) -> date:
    return date.fromisoformat(f"{month}-01")


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
    if name == "channel":
        return str(explanations.channel_text(value))
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
        found.append({"name": name, "text": text, "url": "?" + rest.urlencode(), "order": order, "about": about})
    return found
