"""A connection of the public port that goes through to the web server behind it, as bytes in both directions; and what
is known about it all the same, so that one on which nothing goes on can be ended.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from regulars.eventlog.ingest.door import Application, Receive, Scope, Send

IDLE_SECONDS = 60.0  # of silence, when there is nothing to wait for
STUCK_SECONDS = 5.0  # of not reading, from which on a client may have to make room
LINGER_SECONDS = 5.0  # for the client to end too when the web server has: closing at once might lose it the answer
DRAIN_SECONDS = 30.0  # for the client to read what the web server had to say at last


class Through:
    """The state of one: `spare` and `over` judge it by requests that the web server is at, and by who reads."""

    def __init__(self, client: Any, now: Callable[[], float]) -> None:
        self.client, self.server = client, None
        self.now = now
        self.said = self.began = now()  # when the last thing happened; when the last request began or ended
        self.requests = self.coming = 0  # the web server is at; of these, those whose body isn't whole
        self.stuck: float | None = None  # since when the client doesn't read
        self.ended = False  # by the web server

    def spare(self, now: float) -> tuple[int, float] | None:
        """How soon it may have to go for another one (least first); None while an answer is waited for or streams."""
        if self.ended or not self.requests:
            return 0, self.began
        if self.stuck is not None and self.stuck < now - STUCK_SECONDS:
            return 1, self.stuck
        return (1, self.began) if self.coming else None

    def over(self, now: float) -> bool:
        """Whether it has been silent for longer than anybody has to wait."""
        if self.ended:
            return self.said < now - (DRAIN_SECONDS if self.client.get_write_buffer_size() else LINGER_SECONDS)
        if self.stuck is not None:
            return self.stuck < now - IDLE_SECONDS
        return (not self.requests or self.coming > 0) and self.said < now - IDLE_SECONDS

    async def watched(self, application: Application, scope: Scope, receive: Receive, send: Send) -> None:
        """A request on this connection."""
        coming = True
        self.said = self.began = self.now()
        self.requests += 1
        self.coming += 1

        def whole() -> None:
            nonlocal coming
            if coming:
                coming = False
                self.coming -= 1

        async def heard() -> Any:
            message = await receive()
            self.said = self.now()
            if not message.get("more_body"):
                whole()
            return message

        try:
            await application(scope, heard, send)
        finally:
            whole()
            self.requests -= 1
            self.said = self.began = self.now()


class FromServer(asyncio.Protocol):
    """What the web server says goes to the client. When it ends, the client is told, and what that still sends isn't
    read any more: it gets a little while to end too.
    """

    def __init__(self, through: Through, forgotten: Callable[[], None]) -> None:
        self.through, self.forgotten = through, forgotten

    def connection_made(self, transport: Any) -> None:
        self.through.server = transport

    def data_received(self, data: bytes) -> None:
        self.through.said = self.through.now()
        if not self.through.client.is_closing():
            self.through.client.write(data)

    def eof_received(self) -> bool:
        through = self.through
        through.ended, through.said = True, through.now()
        if not through.client.is_closing():
            through.client.write_eof()
        return False

    def pause_writing(self) -> None:
        if not self.through.client.is_closing():
            self.through.client.pause_reading()

    def resume_writing(self) -> None:
        if not self.through.client.is_closing():
            self.through.client.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self.forgotten()
        if error is not None:  # an answer that was cut short mustn't look whole
            self.through.client.abort()
        elif not self.through.ended:
            self.through.client.close()
        elif not self.through.client.is_closing():
            self.through.client.resume_reading()  # until it ends, if only to see that


class FromClient(asyncio.Protocol):
    """What the client says goes to the web server."""

    def __init__(self, through: Through, ended: Callable[[], None]) -> None:
        self.through, self.ended = through, ended
        self.server: Any = through.server

    def data_received(self, data: bytes) -> None:
        if not self.server.is_closing():
            self.server.write(data)

    def eof_received(self) -> bool:
        """Whoever sends nothing more may still wait for the answer."""
        if self.through.ended or self.server.is_closing():
            return False
        self.server.write_eof()
        return True

    def pause_writing(self) -> None:
        self.through.stuck = self.through.now()
        if not self.server.is_closing():
            self.server.pause_reading()

    def resume_writing(self) -> None:
        self.through.stuck = None
        if not self.server.is_closing():
            self.server.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self.ended()
        if error is None:
            self.server.close()
        else:
            self.server.abort()
