"""The public port: tracking requests of the usual shape are answered straight off the connection, everything else goes
on to the web server behind, byte by byte as it came, and with it all that follows on its connection.

Usual is what SDKs send: POST to an address of the tracking API, HTTP/1.1, a head that is short, is plain in every line
and says by one Content-Length how long the body is. Whatever isn't understood to the letter isn't read here,
so there are no two opinions on where a request ends. The web server has the tracking API too: an unusual request takes
longer, and that is all. What it sees as the client's address is put right by `named`. Why: decisions/0015.
"""

import asyncio
import ipaddress
import re
import socket
import time
from collections import Counter
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple

from regulars.eventlog.ingest import envelope
from regulars.eventlog.ingest.door import (
    CALLS,
    PATIENCE,
    Answer,
    Application,
    Asked,
    Door,
    Receive,
    Refusal,
    Scope,
    Send,
    cut_short,
    full_up,
    refused,
    slow,
)
from regulars.eventlog.ingest.inbox import Full
from regulars.eventlog.ingest.through import IDLE_SECONDS, FromClient, FromServer, Through

HEAD_BYTES = 4096
HELD_BYTES = 16_384  # of a head that isn't whole; more is for the web server to judge
HEAD_SECONDS = 10.0  # for a head to become whole
SWEEP_SECONDS = 2.0
FULL_SECONDS = 0.1
UNREAD_BYTES = 65_536  # answers that a client hasn't fetched before it is taken for hostile

_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\x20-\x7e\x80-\xff\t]*?)[ \t]*")
_FIRST = re.compile(rb"POST ([\x21-\x7e]+) HTTP/1\.1")
_CALLS = {path.encode(): kind for path, kind in CALLS.items()}
# Those that say where a body ends or what follows on the connection, and those that we go by.
_UNUSUAL = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"trailer", b"te"})
_OURS = frozenset({b"host", b"content-length", b"connection", b"authorization", b"origin", b"sentat", b"x-strict-mode"})


class Head(NamedTuple):
    """What stands before a body of `length` bytes; `last`: the client wants the connection closed afterwards."""

    asked: Asked
    length: int
    last: bool


@lru_cache(maxsize=2000)  # a client sends the same head with every event of the same length
def read(head: bytes) -> Head | None:
    """A request's head up to its empty line; None when it isn't usual."""
    first, *lines = head.split(b"\r\n")
    request = _FIRST.fullmatch(first)
    if request is None:
        return None
    path, _, query = request[1].partition(b"?")
    kind = _CALLS.get(path)
    if kind is None:
        return None
    told: dict[bytes, bytes] = {}
    for line in lines:
        one = _LINE.fullmatch(line)
        if one is None:
            return None
        name = one[1].lower()
        if name in _UNUSUAL or name in told:
            return None
        if name in _OURS:
            told[name] = one[2]
    length, connection = told.get(b"content-length", b""), told.get(b"connection", b"keep-alive").lower()
    if not re.fullmatch(rb"[0-9]{1,7}", length) or int(length) > envelope.BATCH_BYTES:
        return None
    if connection not in (b"keep-alive", b"close"):
        return None
    asked = Asked(
        kind, told.get(b"authorization", b""), told.get(b"origin", b""),
        told.get(b"sentat", b"").decode(errors="replace"), told.get(b"x-strict-mode") == b"1", query,
    )  # fmt: skip
    return Head(asked, int(length), connection == b"close")


def unfinished(data: bytes) -> bool:
    """Whether this is the beginning of a head that isn't whole. What doesn't even begin like one (TLS) is whole."""
    start = data.lstrip(b"\r\n")
    return len(data) < HELD_BYTES and (start[:1] or b"G").isalpha() and b"\n\r\n" not in start and b"\n\n" not in start


_now: tuple[int, bytes] = (0, b"")


def _date() -> bytes:
    """The header of this second."""
    global _now
    second = int(time.time())  # of the wire: kernel.clock may be set for tests
    if second != _now[0]:
        _now = second, b"date: " + formatdate(second, usegmt=True).encode() + b"\r\n"
    return _now[1]


_YES = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n%s\r\n{"success":true}'


def _written(answer: Answer, *, last: bool) -> bytes:
    head = b"".join(b"%s: %s\r\n" % pair for pair in answer.head())
    end = b"connection: close\r\n" if last else b""
    phrase = HTTPStatus(answer.status).phrase.encode()
    return b"HTTP/1.1 %d %s\r\n%s%s%s\r\n%s" % (answer.status, phrase, head, _date(), end, answer.body)


def _told(address: Any) -> Any:
    """As the web server tells an address."""
    return (address[0], str(address[1])) if isinstance(address, tuple) else address


@lru_cache(maxsize=10_000)
def whose(address: str) -> str:
    """Who is counted for a connection from here: an address, of IPv6 the network that one customer gets."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # a Unix socket
        return ""
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return address


class Front:
    """All connections of the public port, at most so many; `behind` is where the web server listens, on this machine.
    When places run out, connections on which nobody waits for an answer make room, first those of who has most of
    them. To be made and used in one event loop.
    """

    def __init__(self, door: Door, opened: socket.socket, behind: tuple[str, int], *, most: int) -> None:
        self.door, self.behind = door, behind
        self.loop = asyncio.get_running_loop()
        self.stopping = False
        self._opened, self._most, self._share = opened, most, most * 3 // 4
        self._open: dict[_Direct, str] = {}  # → whose
        self._counts: Counter[str] = Counter()
        self._through: dict[Any, tuple[Through, Any, Any]] = {}  # our end towards the web server → the client's ends
        self._accepting = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._empty = asyncio.Event()
        self._accept()
        self._sweeping = self.loop.call_later(SWEEP_SECONDS, self._sweep)

    async def stop(self, seconds: float) -> None:
        """No new connections; requests under way get so many seconds to be answered, those passed on as well: the web
        server has to be told by itself.
        """
        self.stopping = True
        self._pause()
        for one in list(self._open):
            one.end()
        if self._open:
            await asyncio.wait({self.task(self._empty.wait())}, timeout=seconds)
        self._sweeping.cancel()

    def named(self, application: Application) -> Application:
        """The web server's application, with clients under their own address, and watched."""

        async def with_client(scope: Scope, receive: Receive, send: Send) -> None:
            found = self._through.get(tuple(scope["client"])) if scope.get("client") else None
            if found is None:
                await application(scope, receive, send)
            else:
                through, scope["client"], scope["server"] = found
                await through.watched(application, scope, receive, send)

        return with_client

    def task(self, work: Any) -> "asyncio.Task[Any]":
        """Kept until it is done: a loop holds its tasks weakly."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def passed(self, here: Any, through: Through) -> None:
        peer, name = (_told(through.client.get_extra_info(what)) for what in ("peername", "sockname"))
        self._through[here] = through, peer, name

    def forget(self, here: Any) -> None:
        self._through.pop(here, None)

    def ended(self, one: "_Direct") -> None:
        address = self._open.pop(one, None)
        if address is None:  # it had to make room
            return
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]
        if not self._open:
            self._empty.set()
        self._accept()

    def _accept(self) -> None:
        if not self._accepting and not self.stopping:
            self._accepting = True
            self.loop.add_reader(self._opened, self._arrived)

    def _pause(self) -> None:
        if self._accepting:
            self._accepting = False
            self.loop.remove_reader(self._opened)

    def _full(self) -> None:
        """Everybody waits for an answer, or files have run out: others wait in the queue for a moment."""
        self._pause()
        self.loop.call_later(FULL_SECONDS, self._accept)

    def _arrived(self) -> None:
        for _ in range(64):
            if len(self._open) >= self._most and not self._make_room():
                self._full()
                return
            try:
                line, peer = self._opened.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # out of files
                self._make_room()
                self._full()
                return
            line.setblocking(False)
            address = whose(peer[0] if isinstance(peer, tuple) else "")
            if self._counts[address] >= self._share:
                self._make_room(address)
            one = _Direct(self)
            self._open[one] = address
            self._counts[address] += 1
            self._empty.clear()
            self.task(self._begin(one, line))

    async def _begin(self, one: "_Direct", line: socket.socket) -> None:
        try:
            await self.loop.connect_accepted_socket(lambda: one, line)
        except OSError:
            line.close()
            self.ended(one)

    def _make_room(self, address: str | None = None) -> bool:
        """End some connections (of that address) on which nothing is under way, those for longest; False when there
        are none. Some at a time: looking through all for each one that comes is what a flood would live on.
        """
        now = self.loop.time()
        crowd = [
            (whose, since, one)
            for one, whose in self._open.items()
            if (address is None or whose == address) and (since := one.spare(now)) is not None
        ]
        sizes = Counter(whose for whose, _, _ in crowd)
        crowd.sort(key=lambda found: (-sizes[found[0]], found[1]))
        for _, _, one in crowd[: len(crowd) // 32 + 1]:
            one.abort()
        return bool(crowd)

    def _sweep(self) -> None:
        now = self.loop.time()
        for one in list(self._open):
            one.sweep(now)
        self._sweeping = self.loop.call_later(SWEEP_SECONDS, self._sweep)


class _Direct(asyncio.Protocol):
    """A connection on which only usual requests have come yet; one is answered before the next is begun. Once
    something else came, `_through` has it, and this keeps its place.
    """

    __slots__ = (
        "_ended", "_front", "_head", "_heard", "_held", "_later", "_missing", "_parts", "_through", "_transport",
        "_under_way",
    )  # fmt: skip
    _transport: asyncio.Transport

    def __init__(self, front: Front) -> None:
        self._front = front
        self._through: Through | None = None
        self._head: Head | None = None
        self._held = b""  # of a head that comes in pieces
        self._parts: list[bytes] = []  # of a body that comes in pieces
        self._missing = 0
        self._under_way = True  # until it is made
        self._later = b""  # what came behind a request that is under way
        self._ended = False  # the client sends nothing more
        self._heard = front.loop.time()  # when the request began, or the connection

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._under_way = False
        if self._front.stopping:
            transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._front.ended(self)

    def eof_received(self) -> bool:
        """Whoever sends nothing more may still wait for the answer."""
        self._ended = True
        if self._missing:
            self._give_up(cut_short())
        return self._under_way

    def spare(self, now: float) -> tuple[int, float] | None:
        """As Through has it."""
        if self._through is not None:
            return self._through.spare(now)
        if self._missing:
            return 1, self._heard
        return None if self._under_way else (0, self._heard)

    def sweep(self, now: float) -> None:
        if self._through is not None:
            if self._through.over(now):
                self.abort()
        elif self._missing:
            if self._heard < now - PATIENCE:
                self._give_up(slow())
        elif not self._under_way and self._heard < now - (HEAD_SECONDS if self._held else IDLE_SECONDS):
            self.abort()

    def abort(self) -> None:
        """At once; its place is free."""
        self._transport.abort()
        self._front.ended(self)

    def _give_up(self, refusal: Refusal) -> None:
        """A body that doesn't become whole."""
        assert self._head is not None
        self._answer(refused(refusal, self._head.asked.origin), last=True)

    def end(self) -> None:
        """As soon as nothing is under way."""
        if not self._under_way and not self._missing and self._through is None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._under_way:
            self._later += data
            self._transport.pause_reading()
        elif self._missing:
            self._parts.append(data)
            self._missing -= len(data)
            if self._missing <= 0:
                whole, self._parts = b"".join(self._parts), []
                assert self._head is not None
                self._whole(self._head, whole)
        else:
            self._begin(self._held + data)

    def _begin(self, data: bytes) -> None:
        if not self._held:
            self._heard = self._front.loop.time()
        end = data.find(b"\r\n\r\n", 0, HEAD_BYTES)
        head = read(data[:end]) if end > 0 else None
        if head is None:
            self._held = data if end < 0 and unfinished(data) else b""
            if not self._held:
                self._pass_on(data)
            return
        self._head, self._held = head, b""
        body = data[end + 4 :]
        self._missing = head.length - len(body)
        if self._missing > 0:
            self._parts.append(body)
        else:
            self._whole(head, body)

    def _whole(self, head: Head, body: bytes) -> None:
        """The body, and what came behind it."""
        if self._missing < 0:
            self._later = body[head.length :]
            body = body[: head.length]
            self._transport.pause_reading()
        self._missing = 0
        self._under_way = True
        try:
            stored = self._front.door.put(head.asked, body)
        except Refusal as refusal:
            self._answer(refused(refusal, head.asked.origin))
            return
        if stored is not None:
            stored.add_done_callback(self._stored)
        else:
            self._front.task(self._front.door.answer(head.asked, body)).add_done_callback(
                lambda task: self._answer(task.result())
            )

    def _stored(self, future: "asyncio.Future[None]") -> None:
        fault = future.exception()
        head = self._head
        assert head is not None
        if fault is None and not head.asked.origin and not head.last and not self._front.stopping:
            self._write(_YES % _date())
            return
        if fault is None:
            self._answer(self._front.door.yes(head.asked))
        elif isinstance(fault, Full):
            self._answer(refused(full_up(fault), head.asked.origin))
        else:
            self._transport.abort()
            raise fault

    def _answer(self, answer: Answer, *, last: bool = False) -> None:
        assert self._head is not None
        last = last or self._head.last or self._front.stopping
        self._write(_written(answer, last=last))
        if last:
            self._transport.close()

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport.is_closing():
            return
        transport.write(data)
        self._under_way = False
        if self._later:
            if transport.get_write_buffer_size() > UNREAD_BYTES:
                transport.abort()
                return
            self._under_way = True  # not from here: a thousand bad ones in a row would go a thousand calls deep
            self._front.loop.call_soon(self._next)
        elif self._ended:
            transport.close()

    def _next(self) -> None:
        if self._transport.is_closing():
            return
        data, self._later, self._under_way = self._later, b"", False
        self._transport.resume_reading()
        self._begin(data)

    def _pass_on(self, data: bytes) -> None:
        self._transport.pause_reading()
        self._under_way = True
        self._front.task(self._connect(data))

    async def _connect(self, data: bytes) -> None:
        client, front = self._transport, self._front
        through, here = Through(client, front.loop.time), None
        try:
            server, _ = await front.loop.create_connection(
                lambda: FromServer(through, lambda: front.forget(here)), *front.behind
            )
        except OSError:
            client.abort()
            return
        if client.is_closing():
            server.abort()
            return
        here = _told(server.get_extra_info("sockname"))
        front.passed(here, through)
        client.set_protocol(FromClient(through, lambda: front.ended(self)))
        self._through = through
        server.write(data)
        client.resume_reading()
