"""`regulars serve` as people run it: a process of its own that is started, asked, stopped and killed."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.house.conftest import ROOT, Server

NewServer = Callable[[], Server]


APPEND = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "regulars.settings"
import django; django.setup()
from regulars.eventlog.services import NewEvent, append
from regulars.kernel import clock
now = clock.now()
append([NewEvent(f"{sys.argv[1]}-{n}", "Order Completed", 1, now, now, {"order_id": str(n), "total": 10}, {}, "service")
        for n in range(int(sys.argv[2]))])
"""


def append(server: Server, name: str, count: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", APPEND, name, str(count)], env=server.environment, cwd=ROOT, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def cursors(server: Server) -> dict[str, int]:
    with sqlite3.connect(server.home / "regulars.sqlite3") as database:
        return dict(database.execute("SELECT name, position FROM eventlog_cursor"))


def stop_and_check(server: Server, number: signal.Signals) -> None:
    assert server.stop(number) == 0
    assert "Traceback" not in server.log
    assert not (server.home / "control.sock").exists()
    with sqlite3.connect(server.home / "regulars.sqlite3") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_it_answers_where_it_says(server: Server) -> None:
    answer = httpx.get(f"{server.url}/login")
    assert answer.status_code == 200
    assert "text/html" in answer.headers["content-type"]
    assert httpx.get(f"{server.url}/no-such-page").status_code in (302, 404)


def test_many_requests_at_once_are_answered(server: Server) -> None:
    with httpx.Client() as client, ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda n: client.get(f"{server.url}/login").status_code, range(120)))
    assert answers == [200] * 120


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Another Regulars (process"), ("zh-hans", "另一个 Regulars（进程")]
)
def test_a_second_server_on_the_same_folder_is_refused_in_the_language_asked_for(
    server: Server, language: str, words: str
) -> None:
    refused = server.cli("serve", "--port", "1", REGULARS_LANGUAGE=language)
    assert refused.returncode == 2
    assert words in refused.stderr and str(server.home) in refused.stderr
    assert "Traceback" not in refused.stderr
    assert httpx.get(f"{server.url}/login").status_code == 200


def test_a_taken_port_is_told_clearly(server: Server, new_server: NewServer) -> None:
    refused = new_server().cli("serve", "--port", str(server.port))
    assert refused.returncode == 2
    assert f"Can't listen on 127.0.0.1:{server.port}" in refused.stderr and "--port" in refused.stderr


def test_servers_on_different_folders_run_side_by_side_and_ctrl_c_ends_one(
    server: Server, new_server: NewServer
) -> None:
    other = new_server().start()
    assert httpx.get(f"{server.url}/login").status_code == httpx.get(f"{other.url}/login").status_code == 200
    stop_and_check(other, signal.SIGINT)
    assert httpx.get(f"{server.url}/login").status_code == 200


def test_after_kill_9_it_starts_again_and_hands_on_every_event(
    new_server: NewServer, wait_for: Callable[..., None]
) -> None:
    server = new_server().start()
    append(server, "before", 1000)
    server.kill()
    assert (server.home / "control.sock").exists(), "what is left behind mustn't be in the way"
    append(server, "between", 500)
    server.start()
    append(server, "after", 250)
    wait_for(lambda: cursors(server) and set(cursors(server).values()) == {1750}, 30, "every cursor at the end")
    stop_and_check(server, signal.SIGTERM)


def test_a_command_that_needs_the_warehouse_runs_in_the_server_or_without_it(
    server: Server, new_server: NewServer
) -> None:
    for one in (new_server(), server):
        append(one, "a", 5)
        done = one.cli("refresh")
        assert done.returncode == 0, done.stderr
    assert "Traceback" not in server.log
