"""The applications: tracking paths to the log's ingest, everything else elsewhere; and Django's.

Django runs synchronously in a few threads that stay, each with its database connection; a request takes one of them
once its body is there, so that who sends slowly holds up nobody. Only who has logged in may send much.
"""

import asyncio
import os
import tempfile
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import IO, Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from regulars.kernel.languages import Text

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

THREADS = int(os.environ.get("REGULARS_WEB_THREADS", "8"))
PATIENCE = 60.0  # seconds for the next piece of a body
OF_STRANGERS = 12 << 20  # bytes; above it only for who has logged in. What a form or the API takes is less

_REFUSALS = {
    408: Text("The request's body didn't come in time.", "请求内容未能及时送达。"),
    413: Text("The request's body is too large.", "请求内容过大。"),
}


class _Read:
    """A request whose body is there; what comes after it."""

    def __init__(self, body: IO[bytes], receive: Receive) -> None:
        self.body, self.receive = body, receive

    async def __call__(self) -> MutableMapping[str, Any]:
        return await self.receive()


class _Refused(Exception):
    """Carries the status."""


class Synchronous(ASGIHandler):
    """Django's handler with the whole chain of middleware and view in one hop to a thread that stays.

    As it comes, the handler makes a thread, and with it a database connection, for every request, and hops between
    thread and event loop for each synchronous middleware.
    """

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware(is_async=False)
        self._threads: asyncio.LifoQueue[ThreadPoolExecutor] = asyncio.LifoQueue()
        for place in range(THREADS):
            self._threads.put_nowait(ThreadPoolExecutor(1, thread_name_prefix=f"web {place}"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        try:
            body = await self._body(scope, receive)
        except _Refused as refused:
            await _refuse(send, refused.args[0])
            return
        if body is None:
            return
        async with self._thread():
            await self.handle(scope, _Read(body, receive), send)  # type: ignore[arg-type]

    @asynccontextmanager
    async def _thread(self) -> AsyncIterator[None]:
        thread = await self._threads.get()
        try:
            async with ThreadSensitiveContext(executor=thread):
                yield
        finally:
            self._threads.put_nowait(thread)

    async def _body(self, scope: Scope, receive: Receive) -> IO[bytes] | None:
        """The whole body, on the disk when it is large; None when the client went away. Raises _Refused."""
        body = tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115 (Django closes it)
        known = False
        try:
            while True:
                async with asyncio.timeout(PATIENCE):
                    message = await receive()
                if message["type"] == "http.disconnect":
                    body.close()
                    return None
                body.write(message.get("body", b""))
                if not known and body.tell() > OF_STRANGERS:
                    async with self._thread():
                        known = await sync_to_async(_has_logged_in)(scope)
                    if not known:
                        raise _Refused(413)
                if not message.get("more_body"):
                    body.seek(0)
                    return body
        except TimeoutError:
            body.close()
            raise _Refused(408) from None
        except BaseException:
            body.close()
            raise

    async def read_body(self, receive: _Read) -> IO[bytes]:  # type: ignore[override]
        return receive.body

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response)(request)


def _has_logged_in(scope: Scope) -> bool:
    """Whether the request carries the session of somebody; whose is looked at later, with everything else."""
    try:
        cookies = SimpleCookie(b"; ".join(v for k, v in scope["headers"] if k == b"cookie").decode("latin-1"))
    except CookieError:
        return False
    cookie = cookies.get(settings.SESSION_COOKIE_NAME)
    return cookie is not None and SESSION_KEY in import_module(settings.SESSION_ENGINE).SessionStore(cookie.value)


async def _refuse(send: Send, status: int) -> None:
    text = _REFUSALS[status]
    body = f"{text.en}\n{text.zh}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def console() -> Application:
    """The console and the JSON API."""
    # Files are read in the request's own thread; a line of warning in the terminal of who starts it tells them nothing.
    warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
    return Synchronous()


def build(others: Application, tracking: Application, is_tracking: Callable[[str], bool]) -> Application:
    """What stands at the public port. `is_tracking` says of a path whether it is the tracking API's."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await (tracking if is_tracking(scope["path"]) else others)(scope, receive, send)

    return application
