"""kill -9 anywhere, while tills send, a file is imported, webhooks go out, figures are asked for and everybody is
judged: afterwards every acknowledged order is in the log once, in the figures once, and was told to the receiver.

Each kill is aimed at a stage, in turn: it comes when the server is seen at it while it stands still (SIGSTOP).
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
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import psutil
import pytest

from regulars.eventlog.ingest.inbox import HEADER_BYTES
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
from regulars.webhooks.services import add_endpoint
add_endpoint(url=sys.argv[1], events=["Order Completed"], by=SYSTEM)
"""
RESEND = """
from regulars.kernel import clock
from regulars.webhooks.models import Delivery
from regulars.webhooks.services import resend
for id in Delivery.objects.filter(state="waiting", due_at__gt=clock.now()).values_list("id", flat=True):
    resend(delivery_id=id, by=SYSTEM)
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
        with control.reachable(server.home / "control.sock") as address, socket.socket(socket.AF_UNIX) as line:
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


class Receiver(ThreadingHTTPServer):
    """Takes webhooks; refuses some at first. `told`: webhook-id → the orders it came with. The sender is who closes a
    connection, so that nothing it has sent meets a closed one.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        self.told: dict[str, set[str]] = {}
        self.refused = 0
        self.heard = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                key = self.headers["webhook-id"]
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if key.endswith("7") and key not in receiver.told and receiver.refused < 20:
                    receiver.refused += 1
                    self.answer(503)
                    return
                receiver.told.setdefault(key, set()).add(event["data"]["message_id"])
                self.answer(200)
                receiver.heard.set()

            def answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def killed(new_server: Callable[[], Server], receiver: Receiver, request: pytest.FixtureRequest) -> Server:
    """A server on a database of its own, not started yet."""
    server = new_server()
    server.environment["REGULARS_WEBHOOKS_PRIVATE"] = "1"
    if os.environ.get("REGULARS_TEST_POSTGRES"):
        server.environment["REGULARS_DATABASE_URL"] = request.getfixturevalue("database")
    script(server, PREPARE, receiver.url)
    return server


class Till(threading.Thread):
    """Sends five orders at a time, again and again with the same message ids until they are acknowledged. Told to stop,
    it ends when its last ones are: everything it sent is acknowledged then.
    """

    def __init__(self, url: str, name: str) -> None:
        super().__init__(daemon=True)
        self.url, self.name_, self.over = url, name, threading.Event()
        self.acknowledged: dict[str, int] = {}  # order → yuan
        self.sending = False

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
                self.over.wait(0.2)  # every order is told to the receiver, one by one, which takes most of the time

    def sent(self, client: httpx.Client, batch: list[Any]) -> bool:
        self.sending = True
        try:
            return client.post(f"{self.url}/v1/batch", json={"batch": batch}).status_code == 200
        except httpx.HTTPError:
            return False
        finally:
            self.sending = False


class Owner(threading.Thread):
    """Has everybody judged and asks for the figures, all the time."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server, self.over, self.doing = server, threading.Event(), ""

    def run(self) -> None:
        while not self.over.is_set():
            for self.doing, arguments in (("refresh", {"full": True}), ("figures", {"day": None})):
                ask(self.server, self.doing, **arguments)
            self.doing = ""
            self.over.wait(0.05)


def stand_still(server: Server) -> list[psutil.Process]:
    """Stop the whole family, the parent first so that it starts nothing again; the children."""
    assert server.process is not None
    parent = psutil.Process(server.process.pid)
    parent.suspend()
    children = parent.children(recursive=True)
    for child in children:
        child.suspend()
    return children


def going_on(server: Server, tills: list[Till], owner: Owner) -> set[str]:
    """What a server that stands still was at."""
    places = dict(rows(server, 'SELECT segment, "offset" FROM eventlog_intakecursor'))
    ends = {path.name: path.stat().st_size for path in (server.home / "inbox").glob("*.segment")}
    (last,) = rows(
        server, "SELECT coalesce(max(position), 0), count(*) FILTER (WHERE position IS NULL) FROM eventlog_event"
    )
    cursors = dict(rows(server, "SELECT name, position FROM eventlog_cursor"))
    seen = {
        "accepting": any(till.sending for till in tills),
        "taking in": any(end > max(places.get(name, 0), HEADER_BYTES) for name, end in ends.items()),
        "numbering": last[1] > 0,
        "feeding the warehouse": cursors.get("warehouse", 0) < last[0],
        "handing on to webhooks": cursors.get("webhooks", 0) < last[0],
        "sending webhooks": bool(rows(server, "SELECT 1 FROM webhooks_delivery WHERE state = 'sending' LIMIT 1")),
        "importing": bool(rows(server, "SELECT 1 FROM imports_import WHERE state = 'running' AND place > 0 LIMIT 1")),
        "judging everybody": owner.doing == "refresh",
        "judging who changed, telling figures": owner.doing == "figures",
    }
    return {name for name, was in seen.items() if was}


AIMS = [
    "importing", "judging who changed, telling figures", "sending webhooks", "judging everybody", "taking in",
    "handing on to webhooks", "accepting", "feeding the warehouse",
]  # fmt: skip


def caught(server: Server, tills: list[Till], owner: Owner, aim: str) -> tuple[list[psutil.Process], set[str]]:
    """The family, standing still while it was at `aim`, and all it was at; after many tries, whatever that was."""
    pause = threading.Event()
    for _ in range(300):
        if aim in going_on(server, tills, owner):
            family = stand_still(server)
            found = going_on(server, tills, owner)
            if aim in found:
                return family, found
            for one in family:
                one.resume()
            assert server.process is not None
            psutil.Process(server.process.pid).resume()
        pause.wait(0.05)
    family = stand_still(server)
    return family, going_on(server, tills, owner)


@pytest.mark.timeout(300 + 60 * KILLS)
def test_every_acknowledged_order_is_stored_and_counted_once_wherever_the_server_is_killed(
    killed: Server, receiver: Receiver, wait_for: Callable[..., None]
) -> None:
    print(f"REGULARS_TEST_SEED={SEED}")
    moments, pause = random.Random(SEED), threading.Event()
    imports: list[str] = []
    aims = moments.sample(AIMS, len(AIMS))  # each in turn
    hit, missed = Counter[str](), Counter[str]()

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
            hit["starting"] += 1
        if kill:
            if imported():
                import_another()
            killed.start()
        before = sum(len(till.acknowledged) for till in tills)
        wait_for(lambda before=before: sum(len(till.acknowledged) for till in tills) > before, 60, "an order")
        pause.wait(moments.uniform(0, 1))
        aim = aims[kill % len(aims)]
        if aim == "importing" and imported():
            import_another()
        family, found = caught(killed, tills, owner, aim)
        hit.update(found or ["nothing"])
        missed.update([aim] if aim not in found else [])
        killed.kill()
        for child in family:  # as a power cut would; in tests/house/test_family.py they end by themselves
            child.kill()
    print(
        f"{KILLS} kills while: {', '.join(f'{name} {count}' for name, count in hit.most_common())}; missed: {dict(missed)}"
    )
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

    def told() -> list[str]:
        return [order for orders in list(receiver.told.values()) for order in orders]

    orders = {
        message for (message,) in rows(killed, "SELECT message_id FROM eventlog_event WHERE name = 'Order Completed'")
    }
    silent = 0
    while len(receiver.told) < len(total):
        receiver.heard.clear()
        if receiver.heard.wait(5):
            silent = 0
        else:  # the rest was put off by minutes, by a refusal or because its server died: asked for now
            script(killed, RESEND)
            silent += 1
        assert silent < 12, f"the receiver was told of {len(receiver.told)} orders out of {len(total)}"
    assert Counter(told()) == dict.fromkeys(orders, 1), "one webhook-id for an order, however often it came"
    assert missed.total() <= KILLS // 4, "the kills were aimed, each at a stage that goes on all the time"
    assert killed.stop() == 0
    if "REGULARS_DATABASE_URL" not in killed.environment:
        assert rows(killed, "PRAGMA integrity_check") == [("ok",)]


def buyer_of(order: str) -> str:
    """Who made it."""
    who, _, number = order.partition("-")
    return f"{who} {int(number) // 5 * 5 % 35}" if who.startswith("till") else f"buyer {int(number) % 50}"
