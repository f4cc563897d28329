"""A real server in processes of its own, what it has stored, and a bad network in front of it."""

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
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil

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
        self._reader: str | None = None  # a key of the JSON API
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
        """kill -9 for everybody, as a power cut would; none of them sees another one die."""
        if self.process is not None:
            parent = psutil.Process(self.process.pid)
            parent.suspend()
            family = parent.children(recursive=True)
            for one in family:
                one.suspend()
            for one in (*family, parent):
                one.kill()
            self.process.wait()
            psutil.wait_procs(family, 20)
            self.process = None

    def timeline(self, user: str, name: str) -> list[str]:
        """The message ids on a customer's page, as the JSON API tells it."""
        if self._reader is None:
            command = [sys.executable, "-m", "regulars", "key", "add-api", "Reader", "--scope", "customers.view"]
            made = subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True)
            self._reader = made.stdout.strip()
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}/api/v1", timeout=60) as api:
            api.headers["Authorization"] = f"Bearer {self._reader}"
            found = api.get("/customers/lookup", params={"kind": "user_id", "value": user})
            if found.status_code != 200:
                return []
            ids: list[str] = []
            asked = {"event": name, "limit": "100"}
            while True:
                page = api.get(f"/customers/{found.json()['id']}/events", params=asked).json()
                ids += [row["message_id"] for row in page["data"]]
                if page["next_cursor"] is None:
                    return ids
                asked["cursor"] = page["next_cursor"]

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
    "503", "429" (answered by the network itself), "lost" (never arrives), "dropped" (arrives, the answer doesn't),
    "killed" (arrives, and `reached` is set; the answer doesn't, its connection ends with `refuse`). While no server
    listens, requests wait for one, as they do at a load balancer.
    """

    def __init__(self, port: int, plan: Iterable[str] = ()) -> None:
        self.plan, self.spoilt, self.posts = list(plan), Counter[str](), 0
        self.reached, self._over, self._closed = threading.Event(), threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._server_port = port
        self._http: ThreadingHTTPServer | None = None
        self._listen(0)

    def _listen(self, port: int) -> None:
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

        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        serving = partial(self._http.serve_forever, poll_interval=0.02)
        threading.Thread(target=serving, daemon=True).start()

    def refuse(self) -> None:
        """Connections, until `listen`."""
        assert self._http is not None
        self._http.shutdown()
        self._http.server_close()
        self._over.set()

    def listen(self) -> None:
        self._listen(int(self.url.rpartition(":")[2]))

    def fate(self) -> str:
        with self._lock:
            self.posts += 1
            fate = self.plan.pop(0) if self.plan else "pass"
            if fate != "pass":
                self.spoilt[fate] += 1
            if fate == "killed":
                self.reached.set()
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
        if fate == "killed":
            self._over.wait(120)
        if fate in ("dropped", "killed"):
            return
        ask.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                ask.send_header(name, value)
        ask.send_header("Content-Length", str(len(told)))
        ask.end_headers()
        ask.wfile.write(told)

    def _connect(self, line: http.client.HTTPConnection) -> None:
        for _ in range(900):
            try:
                line.connect()
                return
            except ConnectionRefusedError:
                self._closed.wait(0.1)

    def close(self) -> None:
        self._closed.set()
        self._over.set()
        assert self._http is not None
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
