"""The body of a request to the console is there before a thread is taken, and only who has logged in may send much."""

import asyncio
from typing import Any

import pytest
from django.test import Client

from regulars import asgi

MEGABYTE = {"type": "http.request", "body": b"x" * (1 << 20), "more_body": True}


async def _nothing() -> Any:
    await asyncio.Event().wait()


async def _asked(application: asgi.Synchronous, receive: Any, cookie: bytes = b"", path: str = "/no/such/page") -> int:
    scope = {
        "type": "http", "method": "POST", "path": path, "query_string": b"", "scheme": "http", "http_version": "1.1",
        "server": ("localhost", 80), "client": ("127.0.0.1", 9), "headers": [(b"host", b"localhost"), (b"cookie", cookie)],
    }  # fmt: skip
    told = []

    async def send(message: Any) -> None:
        told.append(message.get("status"))

    await application(scope, receive, send)
    return int(told[0])


def test_slow_senders_take_no_thread_and_are_ended(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> tuple[int, int]:
        application = asgi.Synchronous()
        slow = [asyncio.create_task(_asked(application, _nothing)) for _ in range(2 * asgi.THREADS)]
        whole = [{"type": "http.request", "body": b""}]

        async def receive() -> Any:
            return whole.pop() if whole else await _nothing()

        answered = await _asked(application, receive)
        assert not any(task.done() for task in slow)
        for task in slow:
            task.cancel()
        monkeypatch.setattr(asgi, "PATIENCE", 0.01)
        return answered, await _asked(application, _nothing)

    assert asyncio.run(main()) == (404, 408)


def test_strangers_send_little(transactional_db: None, people: dict[str, Any]) -> None:
    client = Client()
    client.force_login(people["admin"])
    session = client.cookies["regulars_session"].value.encode()

    async def main() -> list[int]:
        application, told = asgi.Synchronous(), []
        for cookie in (b"", b"regulars_session=made-up", b"a=b; regulars_session=" + session):
            pieces = [MEGABYTE] * 16 + [{"type": "http.request", "body": b""}]

            async def receive(pieces: Any = pieces) -> Any:
                return pieces.pop(0) if pieces else await _nothing()

            told.append(await _asked(application, receive, cookie))
        return told

    stranger, liar, member = asyncio.run(main())
    assert (stranger, liar) == (413, 413)
    assert member == 404
