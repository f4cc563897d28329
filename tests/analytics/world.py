"""Small businesses in the tables of the contracts: written by hand, or thrown by dice with a seed."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa

from regulars.analytics.facts import CONCERNED, EVENTS, LINES, RECORDS

ARROW = {
    "int64": pa.int64(),
    "int32": pa.int32(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "float64": pa.float64(),
}


def arrow(table: ir.Table, rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Rows as an Arrow table of the contract's columns; what a row leaves out is NULL."""
    schema = pa.schema([(n, ARROW[str(t.copy(nullable=True))]) for n, t in table.schema().items()])
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)


def day_of(text: str) -> int:
    return date.fromisoformat(text).toordinal() - 719_163


def month_of(day: int) -> int:
    found = date.fromordinal(day + 719_163)
    return found.year * 12 + found.month - 1


@dataclass
class World:
    events: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    concerned: list[int] = field(default_factory=list)

    def record(
        self, number: int, *, root: int | None = None, known: bool = True, erased: bool = False, created: int = 0
    ) -> "World":
        self.records.append(
            {
                "record_id": number,
                "customer_id": root or number,
                "known": known,
                "erased": erased,
                "created_day": created,
            }
        )
        return self

    def event(self, name: str, record: int | None, day: int, **more: Any) -> "World":
        position = len(self.events) + 1
        at = day * 86_400_000_000 + more.pop("second", 36_000) * 1_000_000
        self.events.append(
            {"position": position, "name": name, "record_id": record, "at": at, "day": day, "month": month_of(day)}
            | more
        )
        return self

    def order(self, order: str | None, record: int | None, day: int, *amounts: int, **more: Any) -> "World":
        """Order Completed with a paid line for each amount; `more` goes to every line."""
        return self._lines("Order Completed", order, record, day, [(a, a > 0, "sale") for a in amounts], more)

    def refund(self, order: str | None, record: int | None, day: int, *amounts: int, **more: Any) -> "World":
        return self._lines("Order Refunded", order, record, day, [(-a, False, "refund") for a in amounts], more)

    def _lines(
        self,
        name: str,
        order: str | None,
        record: int | None,
        day: int,
        lines: Sequence[tuple[int, bool, str]],
        more: dict[str, Any],
    ) -> "World":
        where = {key: more[key] for key in ("store", "channel", "second") if key in more}
        self.event(name, record, day, order_id=order, amount=sum(line[0] for line in lines), **where)
        event = self.events[-1]
        for number, (amount, paid, kind) in enumerate(lines):
            line = {"line": number, "quantity": 1000, "amount": amount, "paid": paid, "kind": kind, "home": True}
            shared = {key: event[key] for key in ("position", "record_id", "at", "day", "month", "order_id")}
            self.lines.append(shared | line | {k: v for k, v in more.items() if k != "second"})
        return self

    def tables(self) -> dict[str, pa.Table]:
        return {
            "events": arrow(EVENTS, self.events),
            "lines": arrow(LINES, self.lines),
            "records": arrow(RECORDS, self.records),
            "concerned": arrow(CONCERNED, ({"customer_id": number} for number in self.concerned)),
        }


TODAY = day_of("2026-03-10")
STORES = ("东门店", "West", "north", "North", "", None)
CHANNELS = ("store", "online", None)
CATEGORIES = ("tea", "茶具", "spa", None)


def random_world(seed: int, customers: int = 2_000) -> World:
    """Refunds (of orders, without order), merges, anonymous sales, free lines, adjustments, foreign currency, ties in
    time and amount, people without purchases, purchases of the erased: everything a definition has to survive."""
    dice = random.Random(seed)
    world = World()
    for number in range(1, customers + 1):
        root = dice.randint(1, number) if number > 10 and dice.random() < 0.1 else number
        while world.records and root != number and world.records[root - 1]["customer_id"] != root:
            root = world.records[root - 1]["customer_id"]
        created = TODAY - dice.randint(0, 900)
        world.record(number, root=root, known=dice.random() < 0.85, erased=dice.random() < 0.02, created=created)
        if dice.random() < 0.05:
            world.records[-1]["created_day"] = None
        day, rhythm = created, dice.choice((0, 1, 7, 30, 30, 60, 200))
        for _ in range(0 if dice.random() < 0.25 else min(60, int(dice.paretovariate(0.9)))):
            _random_order(world, dice, number, day)
            day += dice.randint(0, 2 * rhythm)
            if day > TODAY:
                break
        if dice.random() < 0.5:
            happened = ("Page Viewed", "Message Sent", "Tag Added", "Product Viewed")
            for _ in range(dice.randint(1, 3)):
                world.event(dice.choice(happened), number, TODAY - dice.randint(-2, 400), store=dice.choice(STORES))
        if dice.random() < 0.3:
            for _ in range(dice.randint(1, 3)):
                kind, score = dice.choice((("nps", dice.randint(-1, 11)), ("csat", dice.randint(0, 6)), (None, 3)))
                day = TODAY - dice.choice((1, 1, 5, 40))
                world.event("Survey Answered", number, day, category=kind, score=score, store=dice.choice(STORES))
    for _ in range(customers // 5):
        _random_order(world, dice, None, TODAY - dice.randint(0, 900))
        world.event("Survey Answered", None, TODAY - 3, category="nps", score=dice.randint(0, 10))
    world.concerned = [n for n in range(1, customers + 1) if n % 7 == 0]
    return world


def _random_order(world: World, dice: random.Random, record: int | None, day: int) -> None:
    order = None if dice.random() < 0.05 else f"A{len(world.events)}"
    amounts = [dice.choice((990, 1500, 1500, 12_345, 0)) for _ in range(dice.randint(1, 4))]
    where = {"store": dice.choice(STORES), "channel": dice.choice(CHANNELS), "second": dice.choice((1, 1, 50_000))}
    what = {"category": dice.choice(CATEGORIES), "product_id": f"p{dice.randint(1, 9)}"}
    world.order(order, record, day, *amounts, **where, **what, home=dice.random() < 0.95)
    if dice.random() < 0.1:  # a discount on the whole order
        last = dict(world.lines[-1])
        world.lines.append(last | {"line": -1, "amount": -dice.randint(1, 500), "paid": False, "kind": "sale"})
    if dice.random() < 0.1:
        number = order if dice.random() < 0.7 else f"R{len(world.events)}"
        world.refund(number, record, day + dice.randint(0, 40), dice.choice((990, 1500, 30_000)), **where)
