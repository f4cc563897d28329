"""Requests of the usual shape are answered at the port, all others go on untouched, however the bytes are cut."""

import array
import asyncio
import fcntl
import re
import socket
import termios
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regulars.eventlog.ingest import direct, inbox, through
from regulars.eventlog.ingest.door import Door
from regulars.eventlog.ingest.inbox import Inbox
from regulars.eventlog.ingest.keys import WriteKeys

KEY = b"Authorization: Basic c2hvcDo=\r\n"


def request(body: bytes, *more: bytes, path: bytes = b"/v1/track", length: bytes | None = None) -> bytes:
    told = b"%d" % len(body) if length is None else length
    lines = b"".join(line + b"\r\n" for line in more)
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%s%sContent-Length: %s\r\n\r\n%s" % (path, KEY, lines, told, body)


UNUSUAL = [
    b"GET /overview HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\r\n" + request(b"{}"),
    b"POST /v1/track HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}",
    b"POST  /v1/track HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /v1/%74rack HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
    request(b"{}", path=b"/v1/nothing"),
    request(b"{}", b"Transfer-Encoding: chunked"),
    request(b"{}", b"Expect: 100-continue"),
    request(b"{}", b"Content-Length: 2"),
    request(b"{}", b"Host: other"),
    request(b"{}", b"content-length : 2"),
    request(b"{}", b" folded: 1"),
    request(b"{}", b"X: 1\n", b"Y: 2"),
    request(b"{}", b"X: \0"),
    request(b"{}", b"Connection: upgrade"),
    request(b"{}", b"X-Long: " + b"x" * direct.HEAD_BYTES),
    *(request(b"{}", length=length) for length in (b"", b"+2", b"2, 2", b"0x2", b"\xb2", b"600000")),
]


class Port:
    """A front over an inbox; what is passed on is kept, and answered with "behind" when the client ends, or at once when
    it says END.
    """

    def __init__(self, folder: Path, path: Path) -> None:
        self.path, self.passed = path, list[bytes]()
        self.inbox = Inbox(folder, sync=lambda fd: None)
        self.loop = uvloop.new_event_loop()
        self.opened = socket.socket(socket.AF_UNIX)
        self.opened.bind(str(path))
        self.opened.listen()
        self.opened.setblocking(False)
        ready = threading.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self._run(ready),))
        self.thread.start()
        assert ready.wait(10)

    async def _run(self, ready: threading.Event) -> None:
        async def behind(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            said = b""
            while not said.endswith(b"END") and (piece := await reader.read(10_000)):
                said += piece
            self.passed.append(said)
            writer.write(b"behind")
            writer.close()

        self.ended = asyncio.Event()
        server = await asyncio.start_server(behind, "127.0.0.1", 0)
        door = Door(self.inbox, WriteKeys(lambda: {"shop": 7}))
        self.front = direct.Front(door, self.opened, server.sockets[0].getsockname(), most=3)
        ready.set()
        await self.ended.wait()
        await self.front.stop(5)
        server.close()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.ended.set)
        self.thread.join()
        self.loop.close()
        self.opened.close()
        self.inbox.close()

    def client(self) -> socket.socket:
        one = socket.socket(socket.AF_UNIX)
        one.settimeout(10)
        one.connect(str(self.path))
        return one

    def ask(self, *pieces: bytes) -> bytes:
        """All that comes back when these come one after the other, each read before the next."""
        with self.client() as client:
            for piece in pieces:
                client.sendall(piece)
                while unread(client):
                    pass
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65_536), b""))

    def bodies(self) -> list[bytes]:
        folder = self.inbox.folder
        return [
            one.record.body
            for segment in inbox.segments(folder)
            for one in inbox.read(folder, segment, 0, limit=2**30, end=inbox.written(folder).end_of(segment)).records
        ]


def unread(client: socket.socket) -> bool:
    """Whether the other end hasn't read all."""
    waiting = array.array("i", [0])
    fcntl.ioctl(client, termios.TIOCOUTQ, waiting)
    return waiting[0] > 0


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Any]:
    one = Port(tmp_path / "inbox", tmp_path / "s")
    yield one
    one.close()


def test_an_event_is_answered_when_it_is_in_the_inbox(port: Port) -> None:
    answer = port.ask(request(b'{"event":"Paid"}', b"Origin: https://shop.example", b"Connection: close"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"access-control-allow-origin: https://shop.example" in head
    assert b"connection: close" in head
    assert body == b'{"success":true}'
    assert port.bodies() == [b'{"event":"Paid"}']


def test_a_refusal_is_answered_and_the_connection_goes_on(port: Port) -> None:
    unknown = request(b"{}").replace(KEY, b"Authorization: Basic bm9ib2R5Og==\r\n")
    answer = port.ask(request(b"[]") + unknown + request(b'{"a":1}'))
    assert re.findall(rb"HTTP/1.1 (...)", answer) == [b"400", b"401", b"200"]
    assert port.bodies() == [b'{"a":1}']


def test_a_body_that_ends_early_is_refused(port: Port) -> None:
    assert port.ask(request(b'{"a":1}')[:-1]).startswith(b"HTTP/1.1 400 ")
    assert port.bodies() == []


def test_a_body_that_doesnt_come_in_time_is_ended(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "PATIENCE", -1.0)
    with port.client() as client:
        client.sendall(request(b'{"a":1}')[:-1])
        while not any(one._missing for one in list(port.front._open)):
            pass
        port.loop.call_soon_threadsafe(port.front._sweep)
        answer = b"".join(iter(lambda: client.recv(10_000), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert port.bodies() == []


@pytest.mark.parametrize("raw", UNUSUAL, ids=range(len(UNUSUAL)))
def test_what_isnt_usual_goes_on_as_it_came_with_all_behind_it(port: Port, raw: bytes) -> None:
    assert port.ask(request(b'{"a":1}') + raw + request(b'{"a":2}')).endswith(b"behind")
    assert (port.bodies(), port.passed) == ([b'{"a":1}'], [raw + request(b'{"a":2}')])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    usual=st.lists(st.binary(max_size=30).map(lambda raw: b'{"a":"%s"}' % raw.hex().encode()), max_size=4),
    rest=st.sampled_from([b"", UNUSUAL[0]]),
    cuts=st.sets(st.integers(1, 900)),
)
def test_nothing_is_lost_or_doubled_however_it_is_cut(
    port: Port, usual: list[bytes], rest: bytes, cuts: set[int]
) -> None:
    stream = b"".join(map(request, usual)) + rest
    ends = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    before, passed = len(port.bodies()), len(port.passed)
    answer = port.ask(*(stream[a:b] for a, b in pairwise(ends)))
    taken, went = port.bodies()[before:], b"".join(port.passed[passed:])
    assert taken == usual[: len(taken)]
    assert b"".join(map(request, taken)) + went == stream  # what was cut within its head went on, and all behind it
    assert answer.count(b'{"success":true}') == len(taken)
    assert answer.endswith(b"behind") == bool(went)


def asked(client: socket.socket) -> bytes:
    client.sendall(request(b"{}"))
    return client.recv(1000)[:12]


def ends(client: socket.socket) -> bool:
    try:
        return client.recv(1000) == b""
    except ConnectionError:
        return True


def test_those_who_say_nothing_make_room_for_those_who_come(port: Port) -> None:
    held = [port.client() for _ in range(3)]
    held[-1].sendall(b"POST /v1/tr")
    with port.client() as another:
        assert asked(another) == b"HTTP/1.1 200"
        assert ends(held[0]), "who has said nothing for longest"
    for one in held:
        one.close()


def test_when_everybody_waits_for_an_answer_others_wait_too(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct._Direct, "spare", lambda self, now: None)
    held = [port.client() for _ in range(3)]
    assert [asked(one) for one in held] == [b"HTTP/1.1 200"] * 3
    with port.client() as fourth:
        fourth.sendall(request(b"{}"))
        fourth.settimeout(0.05)
        with pytest.raises(TimeoutError):
            fourth.recv(1000)
        held.pop().close()
        fourth.settimeout(10)
        assert fourth.recv(1000).startswith(b"HTTP/1.1 200")
    for one in held:
        one.close()


@pytest.mark.parametrize("begun", [b"P", b"GET / HTTP/1.1\r\nHost: x\r\n", request(b"{}", b"Host: y")[:30]])
def test_a_head_that_doesnt_become_whole_costs_the_web_server_nothing(
    port: Port, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(direct, "HEAD_SECONDS", -1.0)
    with port.client() as client:
        client.sendall(begun)
        while not any(one._held for one in list(port.front._open)):
            pass
        port.loop.call_soon_threadsafe(port.front._sweep)
        assert ends(client)
    assert port.passed == []


def test_when_the_web_server_ends_the_client_is_ended_even_if_it_stays(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(through, "LINGER_SECONDS", -1.0)
    with port.client() as client:
        client.sendall(b"GET /overview HTTP/1.1\r\n\r\nEND")
        assert client.recv(1000) == b"behind"
        assert client.recv(1000) == b""
        port.loop.call_soon_threadsafe(port.front._sweep)
        while port.front._open:
            pass


def test_only_who_waits_for_an_answer_may_be_silent() -> None:
    clock = [0.0]
    one = through.Through(SimpleNamespace(get_write_buffer_size=lambda: 0), lambda: clock[0])
    seen = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(2):
            clock[0] += 100
            seen.append((one.spare(clock[0]), one.over(clock[0])))
            await receive()
        clock[0] += 10_000
        seen.append((one.spare(clock[0]), one.over(clock[0])))

    async def receive() -> Any:
        return {"type": "http.request", "body": b"x", "more_body": len(seen) < 2}

    asyncio.run(one.watched(application, {}, receive, None))  # type: ignore[arg-type]
    assert seen == [((1, 0.0), True), ((1, 0.0), True), (None, False)], "a body that is coming, then a live stream"
    assert (one.spare(10_300), one.over(10_300)) == ((0, 10_200), True)


def test_connections_are_counted_by_address_and_by_the_network_of_one_customer() -> None:
    places = ["203.0.113.9", "::ffff:203.0.113.9", "2001:db8:1:2::3", "2001:db8:1:2:ffff::", "fe80::1%eth0", ""]
    assert [direct.whose(place) for place in places] == [
        "203.0.113.9", "203.0.113.9", "2001:db8:1:2::/64", "2001:db8:1:2::/64", "fe80::/64", "",
    ]  # fmt: skip
