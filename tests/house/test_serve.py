"""`regulars serve` as people run it: a process of its own that is started, asked, stopped and killed."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable

import httpx

from tests.house.conftest import ROOT, Server

NewServer = Callable[[], Server]


def stop_and_say(server: Server, number: signal.Signals) -> None:
    assert server.stop(number) == 0
    assert "Traceback" not in server.log
    assert not (server.home / "control.sock").exists()


def test_it_answers_says_where_and_ends_cleanly_when_told_to(server: Server) -> None:
    answer = httpx.get(f"{server.url}/login")
    assert answer.status_code == 200
    assert "text/html" in answer.headers["content-type"]
    assert httpx.get(f"{server.url}/no-such-page").status_code in (302, 404)
    stop_and_say(server, signal.SIGTERM)


def test_ctrl_c_ends_it_as_well(server: Server) -> None:
    stop_and_say(server, signal.SIGINT)


def test_many_requests_at_once_are_answered(server: Server) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with httpx.Client() as client, ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda n: client.get(f"{server.url}/login").status_code, range(120)))
    assert answers == [200] * 120


def test_a_second_server_on_the_same_folder_is_refused_in_the_language_asked_for(server: Server) -> None:
    for language, words in (("en", "Another Regulars (process"), ("zh-hans", "另一个 Regulars（进程")):
        refused = server.cli("serve", "--port", "1", REGULARS_LANGUAGE=language)
        assert refused.returncode == 2
        assert words in refused.stderr and str(server.home) in refused.stderr
        assert "Traceback" not in refused.stderr
    assert httpx.get(f"{server.url}/login").status_code == 200


def test_two_servers_on_different_folders_run_side_by_side(server: Server, new_server: NewServer) -> None:
    other = new_server().start()
    assert httpx.get(f"{server.url}/login").status_code == httpx.get(f"{other.url}/login").status_code == 200


def test_a_taken_port_is_told_clearly(server: Server, new_server: NewServer) -> None:
    other = new_server()
    refused = other.cli("serve", "--port", str(server.port))
    assert refused.returncode == 2
    assert f"Can't listen on 127.0.0.1:{server.port}" in refused.stderr and "--port" in refused.stderr


def test_after_kill_9_it_starts_again_on_the_same_folder(new_server: NewServer) -> None:
    server = new_server()
    for _ in range(2):
        server.start()
        assert httpx.get(f"{server.url}/login").status_code == 200
        server.kill()
        assert (server.home / "control.sock").exists(), "what is left behind mustn't be in the way"
    server.start()
    assert httpx.get(f"{server.url}/login").status_code == 200
    stop_and_say(server, signal.SIGTERM)
    with sqlite3.connect(server.home / "regulars.sqlite3") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


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


def test_events_are_handed_on_also_across_a_kill_9(new_server: NewServer, wait_for: Callable[..., None]) -> None:
    server = new_server().start()
    append(server, "before", 1000)
    server.kill()
    append(server, "between", 500)
    server.start()
    append(server, "after", 250)
    wait_for(lambda: cursors(server) and set(cursors(server).values()) == {1750}, 30, "every cursor at the end")
    stop_and_say(server, signal.SIGTERM)


def test_a_command_that_needs_the_warehouse_runs_in_the_server_or_without_it(new_server: NewServer) -> None:
    server = new_server()
    append(server, "a", 5)
    alone = server.cli("refresh")
    assert alone.returncode == 0, alone.stderr
    server.start()
    append(server, "b", 5)
    asked = server.cli("refresh")
    assert asked.returncode == 0, asked.stderr
    assert "Traceback" not in server.log
