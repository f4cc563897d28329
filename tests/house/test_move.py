"""`regulars move`: an embedded folder becomes a PostgreSQL with the same rows and the same figures, also when it was killed half
way (REGULARS_TEST_KILLS=…: so often).
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

from tests.house.conftest import ROOT, Server
from tests.house.test_scaled import python, rows

KILLS = int(os.environ.get("REGULARS_TEST_KILLS", "2"))
FIGURES = """
import json
from regulars.cli.figures import _figures
from regulars.warehouse import refresh

def figures():
    refresh.bring_up(full_anyway=True)
    return json.dumps(_figures(print, None))
"""
WORLD = """
import random
from datetime import timedelta
from regulars.accounts.actors import SYSTEM
from regulars.accounts.services import add_write_key
from regulars.customers import services as customers
from regulars.kernel import clock
from regulars.wiring import receiving
chance = random.Random(1)
key = add_write_key(name="Till", key="rw_test", by=SYSTEM)
now = clock.now()
payloads = []
for number in range(700):
    who = chance.randrange(60)
    at = (now - timedelta(hours=chance.randrange(9000))).isoformat()
    order = {"order_id": f"O-{number}", "total": round(chance.uniform(1, 900), 2), "currency": "CNY", "odd": 1e300,
             "name": "\\u832f\\u82d3\\u0000", "zero": -0.0}
    payloads.append({"type": "track", "event": "Order Completed", "userId": f"u{who}", "messageId": f"m{number}",
                     "timestamp": at, "properties": order})
payloads.append({"type": "identify", "userId": "u1", "messageId": "i1",
                 "traits": {"name": "\\u674e\\u96f7", "email": "li@example.com"}})
assert receiving.accept(payloads, source="track:1") == [None] * len(payloads)
print(figures())

# Accepted and not yet taken in:
import asyncio
from regulars.eventlog.ingest.inbox import packed
box = receiving.open_inbox()
event = {"type": "track", "event": "Coat Tried On", "userId": "u1", "messageId": "late"}
body = json.dumps(event).encode()

async def put():
    await box.put(packed(received_at=clock.micros(), key_id=1, kind="track", sent_at="", body=body))

asyncio.run(put())
box.close()
"""
AFTER = """
from regulars.accounts.actors import SYSTEM
from regulars.accounts.services import add_staff
add_staff(email="new@example.com", name="New", role="admin", password="correct horse battery", by=SYSTEM)
print(figures())
"""


def test_a_moved_folder_has_the_same_log_and_the_same_figures(new_server: Callable[[], Server], database: str) -> None:
    old, new = new_server(), new_server()
    before = python(old, FIGURES + WORLD)

    refused = old.cli("move", "--to", "mysql://x/y")
    assert refused.returncode == 2 and "postgresql://" in refused.stderr

    for _ in range(KILLS):
        mover = subprocess.Popen(
            [sys.executable, "-m", "regulars", "move", "--to", database], env=old.environment, cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with suppress(subprocess.TimeoutExpired):
            mover.wait(random.uniform(1, 9))
        mover.kill()
        mover.wait(20)

    moved = old.cli("move", "--to", database)
    assert moved.returncode == 0, moved.stderr
    assert "events among them" in moved.stdout
    assert rows(database, "SELECT count(*) FROM eventlog_event WHERE message_id = 'late'") == [(1,)]
    assert (
        rows(database, "SELECT count(*), max(position) FROM eventlog_event WHERE name = 'Order Completed'")[0][0] == 700
    )

    again = old.cli("move", "--to", database)
    assert (again.returncode, again.stdout) == (0, moved.stdout), "nothing has changed since"

    new.environment["REGULARS_DATABASE_URL"] = database
    assert python(new, FIGURES + AFTER) == before
    again = old.cli("move", "--to", database)
    assert again.returncode == 2 and "isn't empty" in again.stderr
