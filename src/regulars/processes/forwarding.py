"""From the process that owns the port to the one that has the console: requests go on over a Unix socket, streamed
both ways, and so do the answers.

The socket is listened on from the start and lies in the data folder, readable by its owner alone. While the console's
process is started again, requests wait there. The client's address comes in a header that no client can send.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import httpcore

from regulars.kernel.languages import Text

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

AT_ONCE = 256  # requests on their way; more are told to come again
UPLOADS = 64  # of these, those whose body is still coming
GATHERED = 65_536  # bytes of a body that are waited for before a request goes on its way
PATIENCE = 300.0  # seconds for the console to say something
_FROM = b"x-regulars-from"
# RFC 9110, 7.6.1; "expect" was answered by the server in front.
_HOP = {
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
    b"transfer-encoding", b"upgrade",
}  # fmt: skip
_NOT_SENT = _HOP | {b"expect", _FROM}
_AWAY = Text(
    "The console is starting or busy. Try again in a moment.", "控制台正在启动或繁忙，请稍后再试。"
)  # fmt: skip
_MALFORMED = Text("The request's headers can't be understood.", "无法理解请求头。")

log = logging.getLogger(__name__)


class _Gone(Exception):
    """The client went away."""


def forward(address: str) -> Application:
    """An ASGI application that passes every request on to the socket at `address`."""
    pool = httpcore.AsyncConnectionPool(uds=address, max_connections=AT_ONCE, keepalive_expiry=60)
    waiting = {"read": PATIENCE, "write": PATIENCE, "connect": PATIENCE, "pool": PATIENCE}
    under_way = uploads = 0

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        """Who sends slowly takes nobody's way: a body is gathered before, and few are on their way without the end."""
        nonlocal under_way, uploads
        gathered, more = b"", True
        while more and len(gathered) < GATHERED:
            message = await receive()
            if message["type"] == "http.disconnect":  # gone, or its body is none
                await _refuse(send, 400)
                return
            gathered += message.get("body", b"")
            more = message.get("more_body", False)
        if under_way >= AT_ONCE or (more and uploads >= UPLOADS):
            await _refuse(send, 503)
            return
        under_way += 1
        uploads += more
        try:
            await _Passing(scope, receive, send, gathered, more).through(pool, waiting)
        finally:
            under_way -= 1
            uploads -= more

    return application


class _Passing:
    """One request on its way there and its answer on its way back."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, gathered: bytes, more: bool) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        self.gathered, self.more = gathered, more
        self.started = False
        self.sent = asyncio.Event()  # the whole request was read

    async def through(self, pool: httpcore.AsyncConnectionPool, waiting: dict[str, float]) -> None:
        passing = asyncio.ensure_future(self._pass(pool, waiting))
        watching = asyncio.ensure_future(self._watch())
        try:
            await asyncio.wait({passing, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not passing.done():
                passing.cancel()
            await passing
        except asyncio.CancelledError:
            pass
        except _Gone:  # or its body is none
            if not self.started:
                await _refuse(self.send, 400)
        except httpcore.TimeoutException:
            await self._failed(504)
        except httpcore.LocalProtocolError:  # two hosts, a cookie with a line break: not to be passed on
            await self._failed(400)
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            log.warning("the console didn't answer %s: %r", self.scope["path"], error)
            await self._failed(502)
        finally:
            watching.cancel()
            with contextlib.suppress(BaseException):
                await watching

    async def _failed(self, status: int) -> None:
        if self.started:
            raise ConnectionError("the console's answer was cut short")  # so that the client doesn't take it for whole
        await _refuse(self.send, status)

    async def _watch(self) -> None:
        """Ends when the client goes away after it has sent everything."""
        await self.sent.wait()
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _pass(self, pool: httpcore.AsyncConnectionPool, waiting: dict[str, float]) -> None:
        scope = self.scope
        headers = _headers(scope, self.more or bool(self.gathered))
        query = scope.get("query_string", b"")
        target = scope["raw_path"].partition(b"?")[0] + (b"?" + query if query else b"")
        request = httpcore.Request(
            scope["method"], httpcore.URL(scheme=b"http", host=b"console", port=None, target=target), headers=headers,
            content=self._body(), extensions={"timeout": waiting},
        )  # fmt: skip
        answer = await pool.handle_async_request(request)
        try:
            told = [(name.lower(), value) for name, value in answer.headers if name.lower() not in _HOP]
            self.started = True
            await self.send({"type": "http.response.start", "status": answer.status, "headers": told})
            async for piece in answer.aiter_stream():
                await self.send({"type": "http.response.body", "body": piece, "more_body": True})
            await self.send({"type": "http.response.body", "body": b""})
        finally:
            await answer.aclose()

    async def _body(self) -> AsyncIterator[bytes]:
        if self.gathered:
            yield self.gathered
        while self.more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            if message.get("body"):
                yield message["body"]
            self.more = message.get("more_body", False)
        self.sent.set()


def _headers(scope: Scope, has_body: bool) -> list[tuple[bytes, bytes]]:
    named = {
        name.strip().lower() for key, value in scope["headers"] if key == b"connection" for name in value.split(b",")
    }
    headers = [(key, value) for key, value in scope["headers"] if key not in _NOT_SENT and key not in named]
    if has_body and not any(key == b"content-length" for key, _ in headers):
        headers.append((b"transfer-encoding", b"chunked"))
    where = {name: scope.get(name) for name in ("client", "server", "scheme")}
    return [*headers, (_FROM, json.dumps(where).encode())]


async def _refuse(send: Send, status: int) -> None:
    text = _MALFORMED if status == 400 else _AWAY
    body = f"{text.en}\n{text.zh}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]  # fmt: skip
    if status != 400:
        headers.append((b"retry-after", b"2"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def arrived(application: Application) -> Application:
    """At the other end: the request as it was when it came in."""

    async def with_origin(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            told = [value for key, value in scope["headers"] if key == _FROM]
            if told:
                where = json.loads(told[0])
                scope["headers"] = [(key, value) for key, value in scope["headers"] if key != _FROM]
                scope["client"] = tuple(where["client"]) if where["client"] else None
                scope["server"] = tuple(where["server"]) if where["server"] else None
                scope["scheme"] = where["scheme"]
        await application(scope, receive, send)

    return with_origin
