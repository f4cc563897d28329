"""When /health and /health/tracking say 503, and when they don't."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError

from regulars.eventlog.ingest.inbox import Inbox, packed
from regulars.jobs import presence
from regulars.processes import health

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    box = Inbox(tmp_path / "inbox", backlog_bytes=1000)
    yield box
    box.close()


def asked(inbox: Inbox, *paths: str) -> list[tuple[int, dict[str, bool]]]:
    async def others(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("not for the others")

    async def one(application: Any, path: str) -> tuple[int, dict[str, bool]]:
        told: list[Any] = []

        async def send(message: Any) -> None:
            told.append(message)

        await application({"type": "http", "method": "GET", "path": path, "headers": []}, None, send)
        return told[0]["status"], json.loads(told[1]["body"])

    async def all_of_them() -> list[tuple[int, dict[str, bool]]]:
        application = health.before(others, inbox)
        return [await one(application, path) for path in paths]

    return asyncio.run(all_of_them())


def test_an_inbox_that_takes_no_more_says_503_at_both(inbox: Inbox) -> None:
    async def fill() -> None:
        await inbox.put(packed(received_at=1, key_id=1, kind="track", sent_at="", body=b"x" * 2000))

    asyncio.run(fill())
    for status, told in asked(inbox, "/health", "/health/tracking"):
        assert (status, told["ok"], told["inbox"], told["database"]) == (503, False, False, True)


@pytest.mark.parametrize("how", ["broken", "silent"])
def test_without_a_database_events_are_accepted_and_the_rest_is_not(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    over = threading.Event()

    def processes() -> Any:
        if how == "silent":
            over.wait(20)
        raise DatabaseError("away")

    monkeypatch.setattr(presence, "processes", processes)
    monkeypatch.setattr(health, "PATIENCE", 0.05 if how == "silent" else 20)
    threading.Timer(0.5, over.set).start()
    (whole, told), (tracking, again) = asked(inbox, "/health", "/health/tracking")
    assert (whole, tracking) == (503, 200)
    assert told == again == {"ok": False, "database": False, "warehouse": False, "inbox": True, "loops": False}


def test_loops_that_fail_are_told_and_put_nobody_aside(inbox: Inbox) -> None:
    ((status, told),) = asked(inbox, "/health")
    assert (status, told) == (200, {"ok": False, "database": True, "warehouse": False, "inbox": True, "loops": False})
