"""A real server in a process of its own, what it has stored, and a bad network in front of it."""

import http.client
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KEY = "shop-write-key"

MAKE_KEY = """
import django
django.setup()
from django.core.management import call_command
from regulars.accounts import services
from regulars.accounts.actors import SYSTEM
call_command("migrate", verbosity=0)
services.add_write_key(name="Shop", by=SYSTEM, key="shop-write-key")
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Server:
    """`regulars serve` over a data folder."""

    def __init__(self, home: Path, wait_for: Callable[..., None]) -> None:
        self.home, self.port, self._wait_for = home, free_port(), wait_for
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("REGULARS_")},
            "REGULARS_HOME": str(home),
            "DJANGO_SETTINGS_MODULE": "regulars.settings",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.log = (home.parent / "server.log").open("ab")
        subprocess.run([sys.executable, "-c", MAKE_KEY], env=self.environment, check=True)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "regulars", "serve", "--port", str(self.port)],
            env=self.environment, stdout=self.log, stderr=self.log,
        )  # fmt: skip
        self._wait_for(self._listens, 90, "the server to listen")

    def _listens(self) -> bool:
        assert self.process is not None and self.process.poll() is None, "the server ended"
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stored(self) -> Counter[str]:
        """Message id → how often it is in the log."""
        return Counter(row[0] for row in self._rows("message_id"))

    def events(self, run: str) -> Counter[str]:
        """Name → how many events of this run of a test (their property "run", or a group's trait)."""
        found: Counter[str] = Counter()
        for name, text in self._rows("name, properties"):
            properties = json.loads(text)
            if run in (
                properties.get("run"),
                properties.get("traits", {}).get("run") if name == "Group Joined" else "",
            ):
                found[name] += 1
        return found

    def _rows(self, columns: str) -> Iterable[Any]:
        database = sqlite3.connect(self.home / "regulars.sqlite3", timeout=30)
        try:
            return database.execute(f"SELECT {columns} FROM eventlog_event WHERE source LIKE 'track:%'").fetchall()
        finally:
            database.close()

    def quarantined(self) -> int:
        database = sqlite3.connect(self.home / "regulars.sqlite3", timeout=30)
        try:
            return int(database.execute("SELECT count(*) FROM eventlog_quarantined").fetchone()[0])
        finally:
            database.close()


class Network:
    """A proxy that spoils requests by turns. `plan`: what happens to the first POSTs and PUTs ("pass" to all behind):
    "503", "429" (answered by the network itself), "lost" (never arrives), "dropped" (arrives, the answer doesn't).
    While no server listens, requests wait for one, as they do at a load balancer.
    """

    def __init__(self, port: int, plan: Iterable[str] = ()) -> None:
        self.plan, self.spoilt, self.posts = list(plan), Counter[str](), 0
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._server_port = port
        network = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def handle(self) -> None:
                try:
                    super().handle()
                except ConnectionError:
                    self.close_connection = True

            def do_GET(self) -> None:
                network.forward(self, "pass")

            do_OPTIONS = do_GET  # noqa: N815 (the name that http.server calls)

            def do_PUT(self) -> None:
                network.forward(self, network.fate())

            def do_POST(self) -> None:
                network.forward(self, network.fate())

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def fate(self) -> str:
        with self._lock:
            self.posts += 1
            fate = self.plan.pop(0) if self.plan else "pass"
            if fate != "pass":
                self.spoilt[fate] += 1
            return fate

    def forward(self, ask: BaseHTTPRequestHandler, fate: str) -> None:
        body = _body(ask)
        if fate in ("503", "429"):
            ask.send_response(int(fate))
            ask.send_header("Access-Control-Allow-Origin", "*")
            if fate == "429":
                ask.send_header("Retry-After", "1")
            ask.send_header("Content-Length", "0")
            ask.end_headers()
            return
        ask.close_connection = fate != "pass"
        if fate == "lost":
            return
        # Host stays what the client asked for, so that answers that name an address name this one
        line = http.client.HTTPConnection("127.0.0.1", self._server_port, timeout=30)
        try:
            headers = {k: v for k, v in ask.headers.items() if k.lower() not in ("connection", "transfer-encoding")}
            headers["Content-Length"] = str(len(body))
            self._connect(line)
            line.request(ask.command, ask.path, body, headers)
            answer = line.getresponse()
            told = answer.read()
        except (OSError, http.client.HTTPException):
            ask.close_connection = True
            return
        finally:
            line.close()
        if fate == "dropped":
            return
        ask.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                ask.send_header(name, value)
        ask.send_header("Content-Length", str(len(told)))
        ask.end_headers()
        ask.wfile.write(told)

    def _connect(self, line: http.client.HTTPConnection) -> None:
        for _ in range(600):
            try:
                line.connect()
                return
            except ConnectionRefusedError:
                self._closed.wait(0.1)

    def close(self) -> None:
        self._closed.set()
        self._http.shutdown()
        self._http.server_close()


def _body(ask: BaseHTTPRequestHandler) -> bytes:
    if ask.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return ask.rfile.read(int(ask.headers.get("Content-Length") or 0))
    parts = []
    while size := int(ask.rfile.readline(), 16):
        parts.append(ask.rfile.read(size))
        ask.rfile.readline()
    ask.rfile.readline()
    return b"".join(parts)
