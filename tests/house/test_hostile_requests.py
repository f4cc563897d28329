"""Requests that are no requests, at the port of a whole server: the right 4xx, bounded memory, and it lives on."""

import gzip
import resource
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress

import httpx
import psutil
import pytest

from tests.house.conftest import Server
from tests.house.test_serve import ADD_WRITE_KEY, script

EVENT = b'{"type":"track","event":"Coat Tried On","userId":"u1","messageId":"m1"}'
CLOSED = 0
DOORS = ["POST /v1/track", "POST /login"]


@pytest.fixture(scope="module")
def asked(server: Server) -> Server:
    script(server, ADD_WRITE_KEY)
    httpx.get(f"{server.url}/login", timeout=60)  # what is loaded once is loaded
    return server


def request(door: str, *headers: str, body: bytes = EVENT) -> bytes:
    key = b64encode(b"rw_test:").decode()
    lines = [f"{door} HTTP/1.1", "Host: localhost", f"Authorization: Basic {key}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def status(server: Server, first: bytes, more: Iterator[bytes] = iter(())) -> int:
    """Of the answer to these bytes, sent until it comes; CLOSED when the connection is closed over bytes that nobody
    read, by which the system may throw the answer away.
    """
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        with suppress(ConnectionError):
            line.sendall(first)
            line.setblocking(False)
            for piece in more:
                with suppress(BlockingIOError):
                    if line.recv(1, socket.MSG_PEEK):
                        break
                line.settimeout(20)
                line.sendall(piece)
                line.setblocking(False)
        line.settimeout(20)
        with suppress(ConnectionError):
            return int((line.recv(1000).split() or [b"", CLOSED])[1])
        return CLOSED


LENGTH = f"Content-Length: {len(EVENT)}"
BOMB = gzip.compress(b"0" * 20_000_000)
FAULTY = [
    ([LENGTH, "X: " + "x" * 1_000_000], EVENT, 431),
    ([LENGTH, *(f"X-{n}: x" for n in range(10_000))], EVENT, 431),
    ([LENGTH, "Content-Length: 5"], EVENT, 400),
    (["Content-Length: -1"], EVENT, 400),
    (["Content-Length: " + "9" * 30], EVENT, 400),
    ([LENGTH, "X: a\0b"], EVENT, 400),
    ([LENGTH, "no colon"], EVENT, 400),
    (["Transfer-Encoding: chunked"], b"zz\r\n" + EVENT, 400),
    (["Transfer-Encoding: chunked"], b"f" * 20 + b"\r\n" + EVENT, 400),
    (["Transfer-Encoding: chunked"], b"3\r\nabc\r\nzz\r\n", 400),
]


@pytest.mark.parametrize("door", DOORS)
def test_what_is_no_request_is_refused(asked: Server, door: str) -> None:
    told = [status(asked, request(door, *headers, body=body)) for headers, body, _ in FAULTY]
    assert told[2:] == [expected for _, _, expected in FAULTY[2:]]
    assert {*told[:2]} <= {431, CLOSED}, "more than is read"
    assert status(asked, request(f"{door}/{'x' * 100_000}", LENGTH)) == 414
    assert status(asked, request("POST /login", LENGTH, "Host: other")) == 400
    assert status(asked, request(door, f"Content-Length: {len(BOMB)}", body=BOMB)) in (403, 413), (
        "a form lacks its token"
    )
    assert httpx.get(f"{asked.url}/login", timeout=30).status_code == 200


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("header", ["Transfer-Encoding: chunked", "Content-Length: 9000000000000000000"])
def test_a_body_without_an_end_is_ended(asked: Server, door: str, header: str) -> None:
    assert asked.process is not None
    family = psutil.Process(asked.process.pid).children()
    before = sum(one.memory_info().rss for one in family)
    piece = b"x" * (1 << 20)
    endless = (b"100000\r\n" + piece + b"\r\n" if "chunked" in header else piece for _ in range(100))
    assert status(asked, request(door, header, body=b""), endless) in (413, CLOSED)
    assert sum(one.memory_info().rss for one in family) - before < 50 << 20


def test_a_name_that_nobody_allowed_is_told_in_both_languages(asked: Server) -> None:
    answer = httpx.get(f"{asked.url}/login", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "REGULARS_HOSTS" in answer.text and "请管理员" in answer.text
    assert "Traceback" not in asked.log


BEGUN = [
    b"",
    b"G",
    b"POST /v1/track HTTP/1.1\r\nHost: localhost\r\n",
    b"GET /login HTTP/1.1\r\nX: " + b"x" * 20_000,
    b"GET /health/tracking HTTP/1.1\r\nHost: localhost\r\n\r\nG",
    *(request(door, "Content-Length: 1000", body=b"{") for door in DOORS),
]


def test_those_who_hold_connections_hold_up_nobody(asked: Server) -> None:
    """More of them than there are places, every kind that leaves something open, each sends a byte now and then, and
    new ones come.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    lines: list[socket.socket] = []
    try:
        for count in (1200, 100, 100):
            for line in lines:
                with suppress(OSError):
                    line.sendall(b"x")
            for place in range(count):
                lines.append(socket.create_connection(("127.0.0.1", asked.port), timeout=30))
                with suppress(OSError):
                    lines[-1].sendall(BEGUN[place % len(BEGUN)])
            for page in ("/health", "/health/tracking", "/login"):
                assert httpx.get(f"{asked.url}{page}", timeout=30).status_code == 200
            sent = httpx.post(f"{asked.url}/v1/track", content=EVENT, auth=("rw_test", ""), timeout=30)
            assert sent.status_code == 200
    finally:
        for line in lines:
            line.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_many_half_sent_forms_hold_up_nobody(asked: Server) -> None:
    """More of them than requests may be on their way to the console at once."""
    form = request("POST /login", "Content-Length: 1000", body=b"{")
    lines = [socket.create_connection(("127.0.0.1", asked.port), timeout=30) for _ in range(300)]
    try:
        for line in lines:
            line.sendall(form)
        assert httpx.get(f"{asked.url}/login", timeout=30).status_code == 200
    finally:
        for line in lines:
            line.close()
