"""What goes into the log and what is read out of it: plain values, cheap to make by the hundred thousand."""

from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from regulars import catalog


class NewEvent(msgspec.Struct, gc=False):
    """An event to append. `customer_id` is the record's id; `source` is "track:<key id>", "import:<id>", "service" or
    "demo"; `actor` an Actor's ref or "". Times are aware; properties and context are what JSON can hold, or its text
    in UTF-8 (`written`), whoever writes it tells by `unpriced` what the function of that name said of the properties.
    """

    message_id: str
    name: str
    customer_id: int | None
    at: datetime
    received_at: datetime
    properties: dict[str, Any] | bytes
    context: dict[str, Any] | bytes
    source: str
    actor: str = ""
    unpriced: bool | None = None


_encode = msgspec.json.Encoder().encode


def written(value: dict[str, Any] | bytes) -> bytes:
    """As JSON in UTF-8, without what no database takes in a text: NUL and halves of surrogate pairs."""
    if value.__class__ is bytes:
        return value
    if not value:
        return b"{}"
    try:
        text = _encode(value)
    except UnicodeEncodeError:
        text = _encode(cleaned(value))
    return text if b"\\" not in text or b"\\u0000" not in text else _encode(cleaned(value))


def cleaned(value: Any) -> Any:
    """The value without NUL and halves of surrogate pairs."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    return value


@lru_cache(maxsize=10_000)
def _amounts(name: str) -> tuple[str, ...]:
    """The properties of an event of this name that may hold money."""
    found = catalog.columns(name).get("amount", ())
    return (*found, "products") if found else ()


def unpriced(name: str, properties: dict[str, Any]) -> bool:
    """Whether an event of this name tells an amount without a currency."""
    names = _amounts(name)
    if not names or properties.get("currency"):
        return False
    return any(properties.get(field) not in (None, "") for field in names)


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


class LogRow(msgspec.Struct, frozen=True, gc=False):
    """An event as it stands in the log, for a follower that reads millions and needs little of each: moments as the
    database gives them (in SQLite text, in UTC), JSON as it is written there.
    """

    position: int
    name: str
    record_id: int | None
    at: str | datetime
    received_at: str | datetime
    properties: bytes | str
    context: bytes | str
    source: str
