"""A small world told as events of the log, and what the warehouse makes of it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from regulars.warehouse import engine


@pytest.fixture
def warehouse(home: Path, db: None) -> Iterator[Path]:
    """An empty warehouse in a data folder of its own, over an empty log; the business is Shanghai's, in CNY."""
    yield engine.path()
    engine.close()


@pytest.fixture
def happened(warehouse: Path) -> Callable[..., None]:
    """`happened("Order Completed", record, "2026-01-31 12:00", order_id=…)`: append an event to the log (UTC)."""
    from regulars.eventlog import services
    from regulars.eventlog.rows import NewEvent
    from regulars.kernel import ids

    def tell(
        name: str, record: int | None, at: str, *, via: str = "service", properties: dict[str, Any] | None = None, **more: Any
    ) -> None:  # fmt: skip
        moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
        event = NewEvent(ids.new_id(), name, record, moment, moment, {**(properties or {}), **more}, {}, via)
        assert services.append([event]) == [True]

    return tell
