"""What goes into the log and what is read out of it: plain values, cheap to make by the hundred thousand."""

from datetime import datetime
from typing import Any

import msgspec


class NewEvent(msgspec.Struct, frozen=True):
    """An event to append. `customer_id` is the record's id; `source` is "track:<key id>", "import:<id>", "service" or
    "demo"; `actor` an Actor's ref or "". Times are aware; properties and context are what JSON can hold.
    """

    message_id: str
    name: str
    customer_id: int | None
    at: datetime
    received_at: datetime
    properties: dict[str, Any]
    context: dict[str, Any]
    source: str
    actor: str = ""


class EventRow(msgspec.Struct, frozen=True):
    """An event of the log. `position` is None only while it isn't numbered yet (PostgreSQL)."""

    id: int
    position: int | None
    message_id: str
    name: str
    record_id: int | None
    at: datetime
    received_at: datetime
    properties: dict[str, Any]
    context: dict[str, Any]
    source: str
    actor: str
