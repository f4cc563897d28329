"""Requests that are no requests, at the port of a whole server: the right 4xx, bounded memory, and it lives on."""

import gzip
import os
import re
import resource
import socket
import sqlite3
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


def sent(first: str = "POST /v1/track HTTP/1.1", *headers: str, end: str = "\r\n", length: bool = True) -> str:
    """A request for one event; ID stands for its message id, LEN for its length."""
    body = '{"type":"track","event":"Odd","userId":"u1","messageId":"ID"}'
    key = f"Authorization: Basic {b64encode(b'rw_test:').decode()}"
    told = [f"Content-Length: {len(body) + 8}"] if length else []
    lines = [first, "Host: localhost", key, *headers, *told, "", ""]
    return end.join(line.replace("LEN", str(len(body) + 8)) for line in lines) + body


POST = "POST /v1/track HTTP/1.1"
ODD = [
    sent(), sent(POST, "Content-Length: LEN"), sent(POST, "Content-Length: 5"), sent(POST, "X: y\r\n z"),
    *(
        sent(POST, line, length=False)
        for line in (
            "Content-Length: LEN, LEN", "Content-Length: +LEN", "Content-Length: 000LEN", "Content-Length: 0x10",
            "Content-Length:\tLEN\t", "Content-Length:\x0bLEN", "Content-Length : LEN", "content-LENGTH:LEN",
        )
    ),
    *(
        sent(POST, line)
        for line in (
            "Content_Length: 5", "X : y", ": x", "X: a\nTransfer-Encoding: chunked", "X: a\rTransfer-Encoding: chunked",
            "X: a\0b", "X: y\r\n Transfer-Encoding: chunked", "Transfer-Encoding: xchunked",
            "Transfer-Encoding : chunked", "Host: evil.example", "Connection: content-length",
            "Connection: close, keep-alive", "Expect: 100-continue", "TE: trailers", "X: " + "x" * 5000,
        )
    ),
    *(
        sent(first)
        for first in (
            "POST http://localhost/v1/track HTTP/1.1", "POST http://evil.example/v1/track HTTP/1.1",
            "POST /v1/track HTTP/1.0", "post /v1/track HTTP/1.1", "POST  /v1/track HTTP/1.1", "POST /v1/track#x HTTP/1.1",
            "POST /v1%2ftrack HTTP/1.1", "POST /x/../v1/track HTTP/1.1", "POST /v1/%74rack HTTP/1.1",
            "POST /v1/track?writeKey=bad HTTP/1.1", "GET /v1/track HTTP/1.1",
        )
    ),
    *(
        sent(POST, line, length=False).partition("\r\n\r\n")[0] + "\r\n\r\n0\r\n\r\n"
        for line in ("tRaNsFeR-eNcOdInG: chunked", "Transfer-Encoding:\tchunked", "Transfer-Encoding: chunked, chunked")
    ),
    sent(end="\n"), "\r\n" + sent(), sent(POST + "\r\n X: folded"), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]  # fmt: skip
LAST = "GET /v1/last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def verdicts(port: int, odd: list[str], ids: list[str]) -> list[bytes]:
    """The statuses of all that comes back for these in a row, each event under its id."""
    whole = "".join(one.replace("ID", id) for one, id in zip(odd, ids, strict=True)) + LAST
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line, suppress(ConnectionError):
        line.sendall(whole.encode("latin-1"))
        while piece := line.recv(65_536):
            answer += piece
    return re.findall(rb"HTTP/1\.[01] (\d+)", answer)


def test_port_and_web_server_have_one_opinion_on_every_odd_request(
    asked: Server, wait_for: Callable[..., None]
) -> None:
    """The same goes through the port and right to the web server behind it: the same answers, and the same stored."""
    assert asked.process is not None
    listened = {
        one.laddr.port
        for child in psutil.Process(asked.process.pid).children()
        for one in child.net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    }
    (behind,) = listened - {asked.port}
    tried: list[str] = []

    def stored() -> list[str]:
        with sqlite3.connect(asked.home / "regulars.sqlite3", timeout=30) as database:
            rows = database.execute("SELECT message_id FROM eventlog_event WHERE name = 'Odd'").fetchall()
        return sorted(id for (id,) in rows)

    def compare(odd: list[str]) -> None:
        ids = [f"{len(tried) + place:09d}" for place in range(len(odd))]
        tried.extend(ids)
        ways = [verdicts(port, odd, [way + id for id in ids]) for way, port in (("p", asked.port), ("w", behind))]
        assert ways[0] == ways[1], odd

    for one in ODD:
        compare([one])

    @settings(
        max_examples=int(os.environ.get("REGULARS_TEST_EXAMPLES", "30")), deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(st.sampled_from(ODD[:1] * 5 + ODD), min_size=2, max_size=4))
    def pipelined(odd: list[str]) -> None:
        compare(odd)

    pipelined()
    end = sent().replace("ID", "zend000000")
    assert verdicts(asked.port, [end], [""])[:1] == [b"200"]
    wait_for(lambda: "zend000000" in stored(), 60, "the last event")
    found = stored()
    assert len(found) == len(set(found)), "stored at most once"
    ways = [{id[1:] for id in found if id[0] == way} for way in "pw"]
    assert ways[0] == ways[1] and ways[0]
