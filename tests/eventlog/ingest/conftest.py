"""A tracking API over a fresh inbox, asked without a network: `asked = door.post("/v1/track", {...})`."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from regulars.eventlog.ingest import door, inbox
from regulars.eventlog.ingest.inbox import Inbox
from regulars.eventlog.ingest.keys import WriteKeys

BASIC = "Basic " + b64encode(b"shop:").decode()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Door:
    """What a client can do, and what is in the inbox afterwards."""

    def __init__(self, folder: Path, **options: Any) -> None:
        inbox_options = {key: options.pop(key) for key in ("write", "sync", "backlog_bytes") if key in options}
        self.inbox = Inbox(folder, **inbox_options)
        self.keys = {"shop": 7}
        self.database_away = False
        self.application = door.Door(self.inbox, WriteKeys(self._load), **options)

    def _load(self) -> dict[str, int]:
        if self.database_away:
            raise OSError("the database is away")
        return dict(self.keys)

    def ask(
        self, method: str, path: str, body: bytes | list[bytes] = b"", headers: dict[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        chunks = body if isinstance(body, list) else [body]
        path, _, query = path.partition("?")
        scope = {
            "type": "http", "method": method, "path": path, "query_string": query.encode(), "scheme": "http",
            "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
        }  # fmt: skip
        told = [
            {"type": "http.request", "body": chunk, "more_body": place + 1 < len(chunks)}
            for place, chunk in enumerate(chunks)
        ]
        sent: list[Any] = []

        async def receive() -> Any:
            return told.pop(0) if told else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.application(scope, receive, send))
        start, end = sent
        return Answer(start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, end["body"])

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"Authorization": BASIC} | {key.replace("_", "-"): value for key, value in headers.items()}
        return self.ask("POST", path, data, {key: value for key, value in named.items() if value})

    def records(self) -> list[inbox.Placed]:
        found: list[inbox.Placed] = []
        folder = self.inbox.folder
        for segment in inbox.segments(folder):
            reading = inbox.read(folder, segment, 0, limit=2**30, end=inbox.written(folder).end_of(segment))
            assert reading.state == "end"
            found += reading.records
        return found


@pytest.fixture
def tracking(tmp_path: Path) -> Iterator[Any]:
    """`tracking(**options)` opens another door."""
    doors: list[Door] = []

    def open_door(**options: Any) -> Door:
        doors.append(Door(tmp_path / f"inbox{len(doors)}", **options))
        return doors[-1]

    yield open_door
    for one in doors:
        one.inbox.close()
