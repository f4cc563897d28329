"""Requests pass through to the console's process and back as they are, whatever their size and however they end."""

import hashlib
import json
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

import httpx
import psutil
import pytest

from tests.house.conftest import ROOT, free_port

IN_FRONT = """
import pathlib, sys, threading
from regulars.eventlog.ingest.door import Door
from regulars.eventlog.ingest.inbox import Inbox
from regulars.eventlog.ingest.keys import WriteKeys
from regulars.processes import answering, forwarding
public = answering.listening("127.0.0.1", int(sys.argv[1]))
door = Door(Inbox(pathlib.Path(sys.argv[2] + ".inbox")), WriteKeys(lambda: {"shop": 7}))
answering.answer(
    forwarding.forward(sys.argv[2]), public, stopping=threading.Event(), ready=lambda: print("up", flush=True), door=door
)
"""


class Behind(BaseHTTPRequestHandler):
    """Says what it got; /slow waits, /long streams, /cut breaks off."""

    protocol_version = "HTTP/1.1"
    gone = threading.Event()
    go_on = threading.Event()

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *told: Any) -> None:
        pass

    def read(self) -> bytes:
        digest, size = hashlib.sha256(), 0
        if self.headers.get("Transfer-Encoding") == "chunked":
            while length := int(self.rfile.readline(), 16):
                digest.update(self.rfile.read(length))
                size += length
                self.rfile.readline()
            self.rfile.readline()
        else:
            left = int(self.headers.get("Content-Length") or 0)
            while left:
                piece = self.rfile.read(min(left, 2**16))
                digest.update(piece)
                size, left = size + len(piece), left - len(piece)
        return json.dumps({"size": size, "sha256": digest.hexdigest()}).encode()

    def answer(self) -> None:
        body = self.read()
        if self.path == "/cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if self.path == "/slow":
            self.connection.settimeout(20)
            type(self).gone.set() if self.connection.recv(1) == b"" else None
            return
        if self.path == "/long":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\nfirst\r\n")
            self.wfile.flush()
            type(self).go_on.wait(20)
            self.wfile.write(b"4\r\nlast\r\n0\r\n\r\n")
            return
        told = {"path": self.path, "headers": self.headers.items(), "body": json.loads(body)}
        answer = json.dumps(told).encode()
        self.send_response(404 if self.path.startswith("/nowhere") else 200)
        for name, value in (("Content-Length", str(len(answer))), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")):
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)
        self.close_connection = True

    do_GET = do_POST = do_HEAD = answer  # noqa: N815 (names of the library)


class Console(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    path = tmp_path_factory.mktemp("s") / "s"
    console = Console(str(path), Behind)
    threading.Thread(target=console.serve_forever, daemon=True).start()
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(IN_FRONT), str(port), str(path)],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    yield f"http://127.0.0.1:{port}", process
    if process.poll() is None:
        process.kill()
    console.shutdown()


def test_what_is_asked_and_answered_passes_unchanged(front: Any) -> None:
    url, _ = front
    headers = {"X-One": "1", "Connection": "keep-alive, x-hop", "X-Hop": "no further", "X-Regulars-From": "made up"}
    answer = httpx.post(f"{url}/a%20b%2Fc/?q=%31&r", content=b"abc", headers=headers)
    told = answer.json()
    got = {name.lower(): value for name, value in told["headers"]}
    assert (answer.status_code, told["path"]) == (200, "/a%20b%2Fc/?q=%31&r")
    assert told["body"] == {"size": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}
    assert (got["x-one"], got["host"], got["content-length"]) == ("1", url.removeprefix("http://"), "3")
    assert "x-hop" not in got
    assert json.loads(got["x-regulars-from"])["client"][0] == "127.0.0.1"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert httpx.get(f"{url}/nowhere").status_code == 404


def test_the_client_is_told_by_its_own_address_also_after_it_has_tracked(front: Any) -> None:
    host, _, port = front[0].removeprefix("http://").partition(":")
    track = b"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c2hvcDo=\r\nContent-Length: 2\r\n\r\n{}"
    with socket.create_connection((host, int(port))) as client:
        client.sendall(track)
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
        client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        body = b"".join(iter(lambda: client.recv(10_000), b"")).partition(b"\r\n\r\n")[2]
        here = [host, str(client.getsockname()[1])]
    got = {name.lower(): value for name, value in json.loads(body)["headers"]}
    assert json.loads(got["x-regulars-from"]) == {"client": here, "server": [host, port], "scheme": "http"}


def test_a_head_has_the_headers_and_no_body(front: Any) -> None:
    answer = httpx.head(f"{front[0]}/x")
    assert int(answer.headers["content-length"]) > 0
    assert answer.content == b""


def test_an_answer_comes_piece_by_piece(front: Any) -> None:
    Behind.go_on.clear()
    with httpx.stream("GET", f"{front[0]}/long", timeout=20) as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"first"
        Behind.go_on.set()
        assert b"".join(pieces) == b"last"


def test_an_answer_that_breaks_off_isnt_taken_for_whole(front: Any) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{front[0]}/cut")


def test_a_client_that_goes_away_is_noticed_behind(front: Any, wait_for: Callable[..., None]) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{front[0]}/slow", timeout=0.5)
    wait_for(Behind.gone.is_set, 15, "the console's process to see it")


def test_a_large_upload_passes_without_being_kept(front: Any) -> None:
    url, process = front
    piece, count = bytes(range(256)) * 256, 3200  # 200 MB
    digest = hashlib.sha256()
    # Looked at from outside: the peak that the system tells of a process counts what it was forked from (this one).
    seen = psutil.Process(process.pid)
    start = peak = seen.memory_info().rss

    def pieces() -> Iterator[bytes]:
        nonlocal peak
        for place in range(count):
            digest.update(piece)
            if place % 40 == 0:
                peak = max(peak, seen.memory_info().rss)
            yield piece

    answer = httpx.post(f"{url}/upload", content=pieces(), timeout=120)
    assert answer.json()["body"] == {"size": len(piece) * count, "sha256": digest.hexdigest()}
    peak = max(peak, seen.memory_info().rss)
    assert peak - start < 50 * 2**20, f"{(peak - start) / 2**20:.0f} MB more than before, of 200 that passed"
