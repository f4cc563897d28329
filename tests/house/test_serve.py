"""`regulars serve` as people run it: a process of its own that is started, asked, stopped and killed."""

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.house.conftest import ROOT, Server

NewServer = Callable[[], Server]


DJANGO = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "regulars.settings"
import django; django.setup()
"""
ADD_WRITE_KEY = """
from regulars.accounts.actors import SYSTEM
from regulars.accounts.services import add_write_key
add_write_key(name="Test", by=SYSTEM, key="rw_test")
"""
APPEND = """
from regulars.eventlog.services import NewEvent, append
from regulars.kernel import clock
now = clock.now()
append([NewEvent(f"{sys.argv[1]}-{n}", "Order Completed", 1, now, now, {"order_id": str(n), "total": 10}, {}, "service")
        for n in range(int(sys.argv[2]))])
"""


def script(server: Server, text: str, *arguments: str) -> None:
    """Run a few lines of Python on the server's folder."""
    done = subprocess.run(
        [sys.executable, "-c", DJANGO + text, *arguments], env=server.environment, cwd=ROOT, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def append(server: Server, name: str, count: int) -> None:
    script(server, APPEND, name, str(count))


def last_position(server: Server) -> int:
    with sqlite3.connect(server.home / "regulars.sqlite3") as database:
        (last,) = database.execute("SELECT last FROM eventlog_numbering").fetchone()
        (events, highest) = database.execute("SELECT count(*), max(position) FROM eventlog_event").fetchone()
    assert events == highest == last, "positions are dense"
    return int(last)


def stop_and_check(server: Server, number: signal.Signals) -> None:
    assert server.stop(number) == 0
    assert "Traceback" not in server.log
    assert not (server.home / "control.sock").exists()
    with sqlite3.connect(server.home / "regulars.sqlite3") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_it_answers_where_it_says(server: Server) -> None:
    answer = httpx.get(f"{server.url}/login", timeout=30)
    assert answer.status_code == 200
    assert "text/html" in answer.headers["content-type"]
    assert httpx.get(f"{server.url}/no-such-page", timeout=30).status_code in (302, 404)


def test_many_requests_at_once_are_answered(server: Server) -> None:
    with httpx.Client(timeout=30) as client, ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda n: client.get(f"{server.url}/login").status_code, range(120)))
    assert answers == [200] * 120


USED = {"en": "Another Regulars (process", "zh-hans": "另一个 Regulars（进程"}


@pytest.mark.parametrize(
    ("language", "words", "command"),
    [
        ("en", USED["en"], "serve --port 1"),
        ("zh-hans", USED["zh-hans"], "serve --port 1"),
        ("zh-hans", USED["zh-hans"], "move --to postgresql://x/y"),
        ("en", USED["en"], "demo --if-empty"),
        ("zh-hans", "不为空", f"restore {__file__}"),
    ],
    ids=["serve", "serve in Chinese", "move", "demo", "restore"],
)
def test_what_needs_a_folder_of_its_own_is_refused_where_a_server_runs_in_the_language_asked_for(
    server: Server, language: str, words: str, command: str
) -> None:
    refused = server.cli(*command.split(), REGULARS_LANGUAGE=language)
    assert refused.returncode == 2
    assert words in refused.stderr and str(server.home) in refused.stderr
    assert "Traceback" not in refused.stderr
    assert httpx.get(f"{server.url}/login", timeout=30).status_code == 200


def test_a_taken_port_is_told_clearly(server: Server, new_server: NewServer) -> None:
    refused = new_server().cli("serve", "--port", str(server.port))
    assert refused.returncode == 2
    assert f"Can't listen on 127.0.0.1:{server.port}" in refused.stderr and "--port" in refused.stderr


def test_servers_on_different_folders_run_side_by_side_and_ctrl_c_ends_one(
    server: Server, new_server: NewServer
) -> None:
    other = new_server().start()
    assert (
        httpx.get(f"{server.url}/login", timeout=30).status_code
        == httpx.get(f"{other.url}/login", timeout=30).status_code
        == 200
    )
    stop_and_check(other, signal.SIGINT)
    assert httpx.get(f"{server.url}/login", timeout=30).status_code == 200


class Client:
    """A tracking client as the SDKs are: sends a batch again, with the same message ids, until it is accepted."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name, self.accepted, self.stop = server, name, list[str](), threading.Event()
        self.thread = threading.Thread(target=self.send, daemon=True)

    def send(self) -> None:
        with httpx.Client(auth=("rw_test", ""), timeout=5) as http:
            while not self.stop.is_set():
                ids = [f"{self.name}-{len(self.accepted) + n}" for n in range(20)]
                events = [
                    {"type": "track", "event": "Product Viewed", "messageId": id, "userId": self.name} for id in ids
                ]
                while not self.sent(http, events):
                    self.stop.wait(0.05)
                self.accepted += ids

    def sent(self, http: httpx.Client, events: list[dict[str, str]]) -> bool:
        try:
            return http.post(f"{self.server.url}/v1/batch", json={"batch": events}).status_code == 200
        except httpx.HTTPError:
            return False


def test_a_command_that_needs_the_warehouse_runs_in_the_server_or_without_it(
    server: Server, new_server: NewServer
) -> None:
    append(server, "a", 5)
    for one in (new_server(), server):
        done = one.cli("refresh")
        assert done.returncode == 0, done.stderr
    assert "Traceback" not in server.log
