"""The processes of `regulars serve`: one that dies is started again and nothing is lost; when the parent dies, all do."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.house.conftest import ROOT, Server
from tests.house.test_serve import ADD_WRITE_KEY, Client, last_position, script

NewServer = Callable[[], Server]
Wait = Callable[..., None]


def children(parent: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False)
    return sorted(int(line) for line in found.stdout.split())


def alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def logged_in(server: Server) -> bool:
    try:
        return httpx.get(f"{server.url}/login", timeout=30).status_code == 200
    except httpx.HTTPError:
        return False


def test_children_that_are_killed_come_back_and_no_event_is_lost_or_doubled(
    new_server: NewServer, wait_for: Wait
) -> None:
    server = new_server()
    script(server, ADD_WRITE_KEY)
    server.start()
    assert server.process is not None
    clients = [Client(server, f"client {n}") for n in range(2)]
    for client in clients:
        client.thread.start()

    def accepted() -> int:
        return sum(len(client.accepted) for client in clients)

    first = children(server.process.pid)
    assert len(first) == 3
    for victim in first:
        goal = accepted() + 100
        wait_for(lambda goal=goal: accepted() >= goal, 60, "events to be accepted")
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: len(children(server.process.pid)) == 3, 60, "the child to come back")
    wait_for(lambda: logged_in(server), 60, "the console to answer again")
    goal = accepted() + 100
    wait_for(lambda: accepted() >= goal, 60, "events to be accepted again")
    for client in clients:
        client.stop.set()
    for client in clients:
        client.thread.join(60)
    expected = {id for client in clients for id in client.accepted}

    def stored() -> list[str]:
        import sqlite3

        with sqlite3.connect(server.home / "regulars.sqlite3") as database:
            found = database.execute("SELECT message_id FROM eventlog_event WHERE name = 'Product Viewed'")
            return [row[0] for row in found]

    wait_for(lambda: len(stored()) >= len(expected), 60, "the inbox to be taken in")
    assert sorted(stored()) == sorted(expected)
    last_position(server)
    assert not set(children(server.process.pid)) & set(first)
    for name in ("tracking", "intake", "rest"):
        assert f"the process '{name}' ended (killed by signal 9)" in server.log
    assert server.stop() == 0


def test_who_asks_is_known_behind_the_port_and_cant_be_made_up(server: Server) -> None:
    """Failed logins are counted by place: a made-up header is no other place."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for attempt in range(9):
            page = client.get("/login")
            token = page.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
            form = {"csrfmiddlewaretoken": token, "email": "nobody@example.com", "password": "wrong"}
            made_up = json.dumps({"client": [f"10.0.0.{attempt}", "1"], "server": None, "scheme": "https"})
            answer = client.post("/login", data=form, headers={"X-Regulars-From": made_up})
    assert answer.status_code == 429


def test_everybody_may_ask_whether_the_server_is_well(server: Server, wait_for: Wait) -> None:
    def asked() -> tuple[int, Any]:
        answer = httpx.get(f"{server.url}/health", timeout=30)
        return answer.status_code, answer.json()

    well = {"ok": True, "database": True, "warehouse": True, "inbox": True, "loops": True}
    wait_for(lambda: asked() == (200, well), 60, "all loops to have told how they fare")
    assert httpx.get(f"{server.url}/health/tracking", timeout=30).json() == well
    assert httpx.head(f"{server.url}/health", timeout=30).content == b""


def test_when_the_parent_is_killed_no_child_remains_and_another_server_starts_at_once(
    server: Server,
) -> None:
    assert server.process is not None
    family = children(server.process.pid)
    assert len(family) == 3
    server.kill()
    server.start()
    assert not any(alive(pid) for pid in family)
    assert logged_in(server)


FAMILY = """
import os, sys, threading
from pathlib import Path
from regulars.processes import family

def work(stopping, ready, folder, name):
    (folder / f"{name}.{os.getpid()}").touch()
    ready()
    stopping.wait()
    (folder / f"{name}.ended").write_text(str(sorted(path.name for path in folder.glob("*.ended"))))

def fail(stopping, ready, folder, name):
    (folder / f"{name}.{os.getpid()}").touch()
    sys.exit(7)

def wait(stopping, ready, folder, name):
    (folder / f"{name}.{os.getpid()}").touch()
    while not (folder / "go").exists() and not stopping.wait(0.02):
        pass
    work(stopping, ready, folder, name)

if __name__ == "__main__":
    folder, method, does = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    second = {"well": work, "slow": wait}.get(does, fail)
    children = [family.Child("a", work, (folder, "a")), family.Child("b", second, (folder, "b"), after=("a",))]
    refused = 7 if does == "refuses" else None
    try:
        family.run(children, lock=lock, up=lambda: (folder / "up").touch(), refused=refused, method=method)
    except family.Ended as ended:
        sys.exit(ended.code)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_family_starts_and_ends_in_order_whether_forked_or_begun_anew(
    method: str, tmp_path: Path, wait_for: Wait
) -> None:
    (tmp_path / "family.py").write_text(FAMILY)
    command = [sys.executable, str(tmp_path / "family.py"), str(tmp_path), method, "well"]
    parent = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
    wait_for(lambda: (tmp_path / "up").exists(), 60, "the family to be up")
    (first,) = (int(path.suffix[1:]) for path in tmp_path.glob("a.*"))
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: len(list(tmp_path.glob("a.*"))) == 2, 60, "the child to come back")
    parent.terminate()
    assert parent.wait(60) == 0
    assert (tmp_path / "a.ended").read_text() == "[]"
    assert (tmp_path / "b.ended").read_text() == "['a.ended']"


@pytest.mark.parametrize(("does", "times"), [("fails", 3), ("refuses", 1)])
def test_a_family_whose_child_cant_start_ends_with_its_code(does: str, times: int, tmp_path: Path) -> None:
    (tmp_path / "family.py").write_text(FAMILY)
    command = [sys.executable, str(tmp_path / "family.py"), str(tmp_path), "fork", does]
    assert subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, check=False).returncode == 7
    assert not (tmp_path / "up").exists()
    assert len(list(tmp_path.glob("b.[0-9]*"))) == times


def test_a_child_that_is_killed_while_it_starts_is_started_again(tmp_path: Path, wait_for: Wait) -> None:
    (tmp_path / "family.py").write_text(FAMILY)
    command = [sys.executable, str(tmp_path / "family.py"), str(tmp_path), "fork", "slow"]
    parent = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
    killed: set[int] = set()
    for _ in range(2):
        wait_for(lambda: len(list(tmp_path.glob("b.[0-9]*"))) > len(killed), 60, "the child to begin")
        (begun,) = {int(path.suffix[1:]) for path in tmp_path.glob("b.[0-9]*")} - killed
        os.kill(begun, signal.SIGKILL)
        killed.add(begun)
    assert not (tmp_path / "up").exists()
    (tmp_path / "go").touch()
    wait_for(lambda: (tmp_path / "up").exists(), 60, "the family to be up")
    parent.terminate()
    assert parent.wait(60) == 0
