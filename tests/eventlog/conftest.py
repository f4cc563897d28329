"""Events to append, and subscribers that remember what they got."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from regulars.eventlog.services import EventRow, NewEvent

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(
    message_id: str, name: str = "Product Viewed", *, record: int | None = 1, minutes: int = 0, **rest: Any
) -> NewEvent:
    """An event of the record, so many minutes after noon."""
    given: dict[str, Any] = {
        "message_id": message_id, "name": name, "customer_id": record, "at": NOON + timedelta(minutes=minutes),
        "received_at": NOON, "properties": {}, "context": {}, "source": "track:1",
    }  # fmt: skip
    return NewEvent(**{**given, **rest})


class Notebook:
    """A handler that writes down what it got, and fails on the message ids it is told to fail on."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.bad: set[str] = set()
        self.also: Callable[[list[EventRow]], None] = lambda batch: None

    def __call__(self, batch: list[EventRow]) -> None:
        self.also(batch)
        for row in batch:
            if row.message_id in self.bad:
                raise ValueError(f"can't stomach {row.message_id}")
        self.batches.append([row.message_id for row in batch])

    @property
    def got(self) -> list[str]:
        return [message_id for batch in self.batches for message_id in batch]


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()
