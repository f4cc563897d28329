"""A small world told as events of the log, and what the warehouse makes of it."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from regulars.warehouse import engine, lake
from regulars.warehouse.models import Change, OrderEntry

KINDS = ["lake"] if os.environ.get("REGULARS_TEST_POSTGRES") else ["file"]
ONE_FILE = pytest.mark.parametrize("warehouse", ["file"], indirect=True)


@pytest.fixture(params=KINDS)
def warehouse(home: Path, db: None, settings: Any, request: pytest.FixtureRequest) -> Iterator[Path]:
    """An empty warehouse in a data folder of its own, over an empty log; the business is Shanghai's, in CNY. A file,
    on PostgreSQL a lake."""
    if request.param == "lake":
        settings.LAKE = home / "lake"
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


def emptied() -> None:
    """Nothing is in the warehouse any more."""
    if lake.used():
        Change.objects.all().delete()
        OrderEntry.objects.all().delete()
        engine.close()
        return
    with engine.writing() as pen:
        for table in ("events", "lines", "records", "merges", "pending", "scores", "purchases"):
            pen.execute(f"DELETE FROM {table}")
        pen.execute("DELETE FROM meta WHERE key <> 'schema'")
