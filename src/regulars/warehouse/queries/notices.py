"""What a reader of any figure should know about the data behind it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from regulars.kernel import clock
from regulars.kernel.languages import Text
from regulars.warehouse.queries.snapshot import Snapshot, remembered


@dataclass(frozen=True, slots=True)
class Notices:
    """Sales that the figures leave out, and how fresh the data is."""

    last_event_at: datetime | None
    last_order_day: int | None
    foreign: list[tuple[str, int, int]]  # currency, lines, amount in its own minor units; never within any figure
    anonymous_orders: int
    anonymous_net: int  # counted in sales, in no customer's scores
    model: tuple[Text, ...]  # what isn't as it should be with the expected values; empty when all is well


def notices(snapshot: Snapshot) -> Notices:
    def foreign() -> list[Any]:
        return snapshot.read(
            """SELECT upper(currency), count(*), sum(amount)::BIGINT FROM lines WHERE NOT home
               GROUP BY 1 ORDER BY 2 DESC, 1"""
        )

    def anonymous() -> list[Any]:
        return snapshot.read(
            """SELECT count(DISTINCT position) FILTER (paid),
               coalesce(sum(amount), 0)::BIGINT
               FROM lines WHERE record_id IS NULL AND home"""
        )

    last_at = snapshot.value("last_at")
    orders, net = remembered(snapshot, ("anonymous",), anonymous)[0]
    return Notices(
        last_event_at=None if last_at is None else clock.from_micros(last_at),
        last_order_day=snapshot.value("last_order_day"),
        foreign=[(currency, lines, amount) for currency, lines, amount in remembered(snapshot, ("foreign",), foreign)],
        anonymous_orders=orders,
        anonymous_net=net,
        model=tuple(Text(**note) for note in snapshot.value("model", {}).get("notes", ())),
    )
