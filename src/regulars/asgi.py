"""The applications: tracking paths to the log's ingest, everything else elsewhere; and Django's.

Django runs synchronously in a few threads that stay, each with its database connection; a request takes one of them.
"""

import asyncio
import os
import warnings
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

THREADS = int(os.environ.get("REGULARS_WEB_THREADS", "8"))


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
        thread = await self._threads.get()
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)  # type: ignore[arg-type]
        finally:
            self._threads.put_nowait(thread)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response)(request)


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
