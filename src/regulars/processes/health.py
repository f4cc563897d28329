"""How this server is, for balancers and whoever watches: answered by the process that owns the port, without a login,
so it says nothing but whether four things are well.

GET /health is 200 as long as this server can take any request: its inbox takes events and the database answers; 503
otherwise. GET /health/tracking looks at the inbox alone, which needs no database. Loops and warehouse are told and
don't decide: they are everybody's, and a balancer that put all servers aside for a failing loop would only make it
worse. `ok` is all four, for who watches.
"""

import asyncio
import json
import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections

from regulars.eventlog.ingest.inbox import Inbox
from regulars.jobs import presence
from regulars.processes.forwarding import Application, Receive, Scope, Send

_DECIDE = {"/health": ("database", "inbox"), "/health/tracking": ("inbox",)}
AT_MOST = 1.0  # seconds an answer is good for, so that asking is no load
PATIENCE = 5.0  # seconds for the database to answer
_WAREHOUSE = {"dispatch warehouse", "live refresh", "full refresh", "lake"}

log = logging.getLogger(__name__)


def before(others: Application, inbox: Inbox) -> Application:
    """Answers /health; everything else is for the others."""
    looker = ThreadPoolExecutor(1, thread_name_prefix="health")
    known: tuple[float, dict[str, bool]] = (float("-inf"), {})
    looking: asyncio.Future[dict[str, bool]] | None = None

    async def found() -> dict[str, bool]:
        nonlocal known, looking
        if time.monotonic() - known[0] <= AT_MOST:
            return known[1]
        if looking is None or looking.done():
            looking = asyncio.get_running_loop().run_in_executor(looker, look, inbox)
        try:
            told = await asyncio.wait_for(asyncio.shield(looking), PATIENCE)
        except TimeoutError:
            told = {"database": False, "warehouse": False, "inbox": not inbox.failing, "loops": False}
        known = time.monotonic(), told
        return told

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        deciding = _DECIDE.get(scope["path"])
        if deciding is None or scope["method"] not in ("GET", "HEAD"):
            await others(scope, receive, send)
            return
        told = await found()
        status = 200 if all(told[name] for name in deciding) else 503
        await _answer(send, status, told, empty=scope["method"] == "HEAD")

    return application


async def _answer(send: Send, status: int, told: dict[str, bool], *, empty: bool) -> None:
    body = json.dumps({"ok": all(told.values()), **told}).encode()
    headers = [
        (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]  # fmt: skip
    start: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": b"" if empty else body})


def look(inbox: Inbox) -> dict[str, bool]:
    """How the four are, now. Blocks."""
    takes = inbox.takes()
    close_old_connections()
    try:
        alive = [one for one in presence.processes() if not one.silent]
    except DatabaseError:
        log.warning("the database doesn't answer", exc_info=True)
        return {"database": False, "warehouse": False, "inbox": takes, "loops": False}
    here = socket.gethostname(), str(settings.HOME)
    loops = [loop for one in alive for loop in one.loops]
    of_warehouse = [loop for loop in loops if loop.name in _WAREHOUSE]
    takes_in = any(one.name == "intake" and (one.host, one.folder) == here for one in alive)
    return {
        "database": True,
        "warehouse": bool(of_warehouse) and not any(loop.failing for loop in of_warehouse),
        "inbox": takes,
        "loops": takes_in and bool(of_warehouse) and not any(loop.failing for loop in loops),
    }
