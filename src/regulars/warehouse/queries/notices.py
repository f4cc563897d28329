"""What a reader of any figure should know about the data behind it."""

from dataclasses import dataclass
from datetime import datetime

from regulars.warehouse.queries.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Notices:
    """Sales that the figures leave out, and how fresh the data is."""

    last_event_at: datetime | None
    last_order_day: int | None
    foreign: list[tuple[str, int, int]]  # currency, lines, amount in its own minor units; never within any figure
    anonymous_orders: int
    anonymous_net: int  # counted in sales, in no customer's scores
    model_fallback: str  # why the value model isn't the full one ("" when it is); a key of stats


def notices(snapshot: Snapshot) -> Notices:
    raise NotImplementedError
