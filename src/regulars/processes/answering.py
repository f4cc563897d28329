"""The web server: an ASGI application on a socket that somebody else has opened, until told to stop."""

import asyncio
import contextlib
import errno
import resource
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvloop
from granian._granian import SocketHolder
from granian.constants import Interfaces
from granian.server.embed import Server

from regulars.eventlog.ingest import direct
from regulars.eventlog.ingest.door import Door
from regulars.kernel.errors import Conflict
from regulars.kernel.languages import Text

BACKLOG = 1024
FILES = 16_384  # open at once, if the system lets us
PATIENCE = 10.0  # seconds for requests under way when the process ends


def listening(host: str, port: int) -> socket.socket:
    """The public port, opened once for the whole family: while the process that answers is started again, connections
    wait. Raises Conflict when it is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        _bind(one, host, port)
    except OSError as error:
        one.close()
        raise Conflict(
            "address_in_use",
            Text(
                "Can't listen on {host}:{port} ({error}). Choose another port with --port.",
                "无法监听 {host}:{port}（{error}）。请用 --port 换一个端口。",
            ).filled(host=host, port=port, error=error.strerror),
            field="port",
        ) from None
    one.listen(BACKLOG)
    one.setblocking(False)
    return one


def places() -> int:
    """How many connections the public port may hold: each may need three files, and others need some too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        soft = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return BACKLOG if soft == resource.RLIM_INFINITY else max(64, min(BACKLOG, (soft - 512) // 3))


def _bind(one: socket.socket, host: str, port: int) -> None:
    """A process that was killed lets go of its files one after the other: the port may come after the folder's lock."""
    for attempt in range(10):
        try:
            one.bind((host, port))
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE or attempt == 9:
                raise
            threading.Event().wait(0.05)


class _Adopting(Server):
    """Granian on a socket that is open already."""

    def __init__(self, application: Any, opened: socket.socket) -> None:
        super().__init__(
            application, interface=Interfaces.ASGINL, websockets=False, log_enabled=False, backlog=BACKLOG,
            backpressure=2 * BACKLOG,  # the port is what limits
        )  # fmt: skip
        self._opened = opened

    def _init_shared_socket(self) -> None:
        number, local = self._opened.fileno(), self._opened.family == socket.AF_UNIX
        adopted: Any = SocketHolder(number, local, BACKLOG)  # type: ignore[call-arg]
        self._ssp, self._shd = None, adopted


def answer(
    application: Any, opened: socket.socket, *, stopping: threading.Event, ready: Callable[[], None],
    door: Door | None = None,
) -> None:  # fmt: skip
    """Until SIGTERM; open requests get a few seconds to end. With a `door`, tracking requests of the usual shape are
    answered before they come to the web server, which then listens on a port of this machine's own.
    """
    inner = listening("127.0.0.1", 0) if door else opened

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
        if stopping.is_set():
            return
        front = direct.Front(door, opened, inner.getsockname(), most=places()) if door else None
        server = _Adopting(front.named(application) if front else application, inner)
        serving = loop.create_task(server.serve())
        server.on_startup(ready)
        waiting = loop.create_task(stopped.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        ending = loop.create_task(front.stop(PATIENCE)) if front else None
        server.stop()  # type: ignore[no-untyped-call]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(serving, PATIENCE)
        if ending is not None:
            await ending

    uvloop.run(main())
