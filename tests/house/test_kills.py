"""kill -9 anywhere, while tills send, a file is imported, figures are asked for and everybody is judged: afterwards
every acknowledged order is in the log once and in the figures once.

Two kills in the suite; REGULARS_TEST_KILLS says how many (`make kills`), REGULARS_TEST_SEED repeats their moments as
far as the machine lets it. On SQLite, or with REGULARS_TEST_POSTGRES=1 on PostgreSQL.
"""

import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest

from regulars.kernel import ids
from regulars.wiring import control
from tests.house.conftest import ROOT, Server

KILLS = int(os.environ.get("REGULARS_TEST_KILLS", "2"))
SEED = int(os.environ.get("REGULARS_TEST_SEED") or (1 if os.environ.get("CI") else random.randrange(10**9)))
KEY = "rw_till"
IMPORTED = 1500  # rows of a file

WITH_DJANGO = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "regulars.settings"
import django; django.setup()
from django.core.management import call_command
from regulars.accounts.actors import SYSTEM
"""
PREPARE = """
from regulars.accounts.services import add_write_key
call_command("migrate", verbosity=0)
add_write_key(name="Till", key="rw_till", by=SYSTEM)
"""
IMPORT = """
from regulars.imports import services
from regulars.imports.services.progress import Silent
run, count = sys.argv[1], int(sys.argv[2])
rows = "".join(f"{run}-{n},buyer {n % 50},2026-03-{n % 28 + 1:02d} 10:00,{n % 90 + 1}.50,CNY\\n" for n in range(count))
file = "order_id,user_id,date,total,currency\\n" + rows
row = services.upload(kind="orders", name="orders.csv", chunks=[file.encode()], by=SYSTEM)
services.read(Silent(), row.pk)
services.start(id=row.pk, by=SYSTEM)
"""


def script(server: Server, code: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITH_DJANGO + code, *arguments], env=server.environment, cwd=ROOT, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def rows(server: Server, sql: str) -> list[Any]:
    """What the server's database says, asked from outside."""
    url = server.environment.get("REGULARS_DATABASE_URL")
    if url:
        import psycopg

        with psycopg.connect(url) as line:
            return line.execute(sql).fetchall()  # type: ignore[call-overload, no-any-return]
    database = sqlite3.connect(server.home / "regulars.sqlite3", timeout=60)
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()


def ask(server: Server, command: str, **arguments: Any) -> Any:
    """A command given through the server's socket, as the command line does it; None when the server goes away."""
    try:
        with control._reachable(server.home / "control.sock") as address, socket.socket(socket.AF_UNIX) as line:
            line.settimeout(120)
            line.connect(address)
            with line.makefile("rw") as stream:
                stream.write(json.dumps({"command": command, "arguments": arguments, "language": "en"}) + "\n")
                stream.flush()
                for answer in stream:
                    said = json.loads(answer)
                    assert "problem" not in said, said
                    if "result" in said:
                        return said["result"]
    except OSError:
        pass
    return None


@pytest.fixture
def killed(new_server: Callable[[], Server]) -> Server:
    """A server on a database of its own, not started yet."""
    server = new_server()
    if os.environ.get("REGULARS_TEST_POSTGRES"):
        import psycopg

        url, name = os.environ["REGULARS_DATABASE_URL"], f"kills_{ids.new_id()}"
        with psycopg.connect(url, autocommit=True) as line:
            line.execute(f"CREATE DATABASE {name}".encode())
        server.environment["REGULARS_DATABASE_URL"] = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    script(server, PREPARE)
    return server


class Till(threading.Thread):
    """Sends five orders at a time, again and again with the same message ids until they are acknowledged. Told to stop,
    it ends when its last ones are: everything it sent is acknowledged then.
    """

    def __init__(self, url: str, name: str) -> None:
        super().__init__(daemon=True)
        self.url, self.name_, self.over = url, name, threading.Event()
        self.acknowledged: dict[str, int] = {}  # order → yuan

    def run(self) -> None:
        with httpx.Client(auth=(KEY, ""), timeout=10) as client:
            while not self.over.is_set():
                place = len(self.acknowledged)
                orders = {f"{self.name_}-{n}": n % 97 + 1 for n in range(place, place + 5)}
                batch = [
                    {
                        "type": "track", "event": "Order Completed", "userId": f"{self.name_} {place % 35}",
                        "messageId": order, "properties": {"order_id": order, "total": total, "currency": "CNY"},
                    }
                    for order, total in orders.items()
                ]  # fmt: skip
                while not self.sent(client, batch):
                    self.over.wait(0.05)
                self.acknowledged |= orders

    def sent(self, client: httpx.Client, batch: list[Any]) -> bool:
        try:
            return client.post(f"{self.url}/v1/batch", json={"batch": batch}).status_code == 200
        except httpx.HTTPError:
            return False


class Owner(threading.Thread):
    """Has everybody judged and asks for the figures, all the time."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server, self.over, self.answers = server, threading.Event(), 0

    def run(self) -> None:
        while not self.over.is_set():
            self.answers += ask(self.server, "refresh", full=True) is not None
            self.answers += ask(self.server, "figures", day=None) is not None
            self.over.wait(0.05)


def test_every_acknowledged_order_is_stored_and_counted_once_wherever_the_server_is_killed(
    killed: Server, wait_for: Callable[..., None]
) -> None:
    print(f"REGULARS_TEST_SEED={SEED}")
    moments, pause = random.Random(SEED), threading.Event()
    imports: list[str] = []

    def imported() -> bool:
        return not rows(killed, "SELECT 1 FROM imports_import WHERE state NOT IN ('done', 'failed') LIMIT 1")

    def import_another() -> None:
        imports.append(f"file{len(imports)}")
        script(killed, IMPORT, imports[-1], str(IMPORTED))

    tills = [Till(killed.url, f"till{n}") for n in range(2)]
    owner = Owner(killed)
    import_another()
    killed.start()
    for thread in (*tills, owner):
        thread.start()
    for kill in range(KILLS):
        if kill % 4 == 3:  # while it starts
            killed.launch()
            pause.wait(moments.uniform(0, 4))
            killed.kill()
        if kill:
            if imported():
                import_another()
            killed.start()
        before = sum(len(till.acknowledged) for till in tills)
        wait_for(lambda before=before: sum(len(till.acknowledged) for till in tills) > before, 60, "an order")
        pause.wait(moments.uniform(0, 3))
        killed.kill()
    killed.start()
    for till in tills:
        till.over.set()
    for till in tills:
        till.join(60)
        assert not till.is_alive(), "the last orders weren't acknowledged"
    owner.over.set()
    owner.join(120)

    sent = {order: Decimal(total) for till in tills for order, total in till.acknowledged.items()}

    def stored() -> Counter[str]:
        found = "SELECT message_id FROM eventlog_event WHERE name = 'Order Completed' AND source LIKE 'track:%'"
        return Counter(message_id for (message_id,) in rows(killed, found))

    wait_for(lambda: len(stored()) >= len(sent), 60, "the inbox to be taken in")
    wait_for(imported, 90, "the imports")
    assert stored() == dict.fromkeys(sent, 1)
    assert {state for (state,) in rows(killed, "SELECT state FROM imports_import")} == {"done"}

    total = dict(sent)
    for run in imports:
        total |= {f"{run}-{n}": Decimal(n % 90 + 1) + Decimal("0.5") for n in range(IMPORTED)}
    (count,) = rows(killed, "SELECT count(*) FROM eventlog_event WHERE name = 'Order Completed'")[0]
    assert count == len(total)
    for full in (False, True):
        ask(killed, "refresh", full=full)
        gross = ask(killed, "figures", day=None)["gross"]
        assert (gross["orders"], gross["lines"], Decimal(gross["revenue"])) == (
            len(total),
            len(total),
            sum(total.values()),
        )
        assert gross["customers"] == len({buyer_of(order) for order in total})
    assert killed.stop() == 0
    if "REGULARS_DATABASE_URL" not in killed.environment:
        assert rows(killed, "PRAGMA integrity_check") == [("ok",)]


def buyer_of(order: str) -> str:
    """Who made it."""
    who, _, number = order.partition("-")
    return f"{who} {int(number) // 5 * 5 % 35}" if who.startswith("till") else f"buyer {int(number) % 50}"
