"""Does the product find what was planted? Its own answers, by the queries that its pages ask, held against the truths
of the world. Nothing is computed here that a user couldn't read in the console.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from regulars.customers import queries as customers
from regulars.demo import chain
from regulars.demo.loading import truths_file
from regulars.kernel import clock
from regulars.kernel.errors import NotFound
from regulars.kernel.languages import Text
from regulars.warehouse import queries
from regulars.warehouse.queries import Snapshot
from regulars.warehouse.queries.customers import Filters

ANSWERS = 10
"""Survey answers below which a store's score says nothing."""
_NEVER_BOUGHT = Text("the others never bought", "其余从未购买")


@dataclass(frozen=True, slots=True)
class Finding:
    """`planted`: all of them; `knowable`: those of them of whom the data can say anything at all (`why` not the
    others); `found`: whom the product names; `hits`: those of the found who were planted."""

    what: Text
    planted: int
    knowable: int
    found: int
    hits: int
    why: Text | None = None

    @property
    def precision(self) -> float | None:
        """The share of what was found that was planted; None where nothing was found."""
        return self.hits / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """The share of what could be known that was found; None where nothing could be."""
        return self.hits / self.knowable if self.knowable else None


def loaded() -> list[Finding]:
    """Of the world that was loaded into this data folder. Raises NotFound when none was."""
    file = truths_file()
    if not file.exists():
        raise NotFound(
            "no_demo",
            Text(
                "No made-up world was loaded here. Load one with: regulars demo",
                "这里还没有载入演示数据。请先运行：regulars demo",
            ),
        )
    told = json.loads(file.read_text(encoding="utf-8"))
    now = queries.snapshot()
    return [
        *_people(now, told["truths"], told["records"]),
        *_identities(now, told["truths"]["browsed_first"], told["records"], told["browsers"], told["desks"]),
        _store(now, told["truths"]["bad_store"]),
        _seasons(now, told["truths"]["first_day"]),
    ]


def _people(now: Snapshot, truths: Mapping[str, Any], records: Mapping[str, int]) -> list[Finding]:
    """What the lists of customers say, of the people of this world: others may live in the folder too."""
    roots = customers.roots_of(records.values())
    everybody = set(roots.values())

    def named(*filters: Filters) -> set[int]:
        return {id for one in filters for id in queries.customers.ids(now, filters=one)} & everybody

    buyers = named(Filters(ranges={"orders": (1, None)}))

    def held(what: Text, keys: Collection[str], found: set[int]) -> Finding:
        planted = {roots[records[key]] for key in keys}
        return Finding(
            what, len(planted), len(planted & buyers), len(found), len(planted & buyers & found), _NEVER_BOUGHT
        )

    last = date.fromisoformat(truths["last_day"])
    leaving = truths["leaving"]
    gone = [
        key
        for key, day in zip(leaving["customers"], leaving["silent_from"], strict=True)
        if date.fromisoformat(day) <= last
    ]
    return [
        held(
            Text("Gone or about to go (stage dormant or lost, or warned)", "已经或即将流失（沉睡、流失或预警）"), gone,
            named(Filters(stages=("dormant", "lost")), Filters(leaving=True)) & buyers,
        ),
        held(Text("Price-sensitive (taste)", "价格敏感（偏好）"), truths["price_sensitive"],
             named(Filters(tastes=("price",)))),
        held(Text("Quality-oriented (taste)", "品质导向（偏好）"), truths["quality_oriented"],
             named(Filters(tastes=("quality",)))),
        held(
            Text("Come every week (a rhythm of 7 or 8 days, five orders or more)",
                 "每周到店（购买间隔 7–8 天，至少五单）"), truths["weekly"]["customers"],
            named(Filters(ranges={"gap_days": (7, 8), "orders": (5, None)})),
        ),
    ]  # fmt: skip


def _identities(
    now: Snapshot, turned: Collection[str], records: Mapping[str, int], browsers: Mapping[str, int],
    desks: Mapping[str, int],
) -> list[Finding]:  # fmt: skip
    """Whether who came under several names is one customer, and nobody else. `browsers` and `desks`: what was made of
    a device alone (some never become anybody) and of a member card alone, before the person's own record.
    """
    root = customers.roots_of({*records.values(), *browsers.values(), *desks.values()})
    named = set(queries.customers.ids(now, filters=Filters(named=True)))
    known = {key for key, record in browsers.items() if root[record] in named}
    people = Counter(root[record] for record in records.values())
    one = {key for key in turned if root[browsers[key]] == root[records[key]] and people[root[records[key]]] == 1}
    many = Counter(root.values())
    twice = [key for key, record in desks.items() if many[root[record]] > 1]
    same = [key for key in twice if key in one and root[desks[key]] == root[records[key]]]
    return [
        Finding(Text("Browsers that turned out to be customers", "后来确认为客户的匿名访客"), len(turned), len(turned),
                len(known), len(one & known)),
        Finding(Text("Duplicates made one (a browser and a member card)", "重复档案合并为一（浏览器与会员卡）"),
                len(desks), len(desks), len(twice), len(same)),
    ]  # fmt: skip


def _store(now: Snapshot, bad: str) -> Finding:
    """The store with the lowest recommendation score of all times, as the page about voices ranks them."""
    asked = [(said.nps, store) for store, said in queries.voice.nps_by_store(now, days=now.as_of)
             if store and said.nps is not None and said.answers >= ANSWERS]  # fmt: skip
    hit = bool(asked) and min(asked)[1] == bad
    return Finding(Text("The bad store (lowest NPS)", "问题门店（净推荐值最低）"), 1, 1, min(len(asked), 1), int(hit))


def _seasons(now: Snapshot, first_day: str) -> Finding:
    """The month of the year in which a category has most orders, over whole years, give or take one month."""
    begin = date.fromisoformat(first_day)
    orders: dict[str, list[int]] = {}
    for number in range(begin.year * 12 + begin.month - 1, begin.year * 12 + begin.month + 23):
        since, until = (clock.day_number(date(n // 12, n % 12 + 1, 1)) for n in (number, number + 1))
        for row in queries.sales.by(now, dimension="category", since=since, until=until - 1):
            orders.setdefault(str(row.key), [0] * 12)[number % 12] += row.orders
    best = {name: months.index(max(months)) for name, months in orders.items()}
    planted = [c for c in chain.CATEGORIES if c.swing > 0]
    sold = [c for c in planted if c.name in best]
    hits = sum(_apart(best[c.name], int((c.peak - 1) / 30.44)) <= 1 for c in sold)
    return Finding(
        Text("Seasons of categories (best month, give or take one)", "品类旺季（最旺月份，前后一个月内）"),
        len(planted), len(sold), len(sold), hits, Text("the others never sold", "其余从未售出"),
    )  # fmt: skip


def _apart(month: int, other: int) -> int:
    return min((month - other) % 12, (other - month) % 12)
