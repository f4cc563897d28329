"""How long a person waits for each page of the console, and a program for the main reads of the API: a real server over
a kept world, asked over HTTP by one who has logged in, one page after the other.

A *first* visit is the first after customers changed (an order comes in before each round), so that nothing asked before
is remembered; *later* visits follow at once. What misses the aim is told by itself, with its time in the databases.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from bench.figure import Figure, Size
from bench.server import Server, serving
from bench.world import loaded

AIM = 300.0
LOGIN = "demo@example.com"
ROUNDS = 5
LATER = 2
CONSOLE = (
    "/overview", "/overview?period=28", "/overview?period=90",
    "/customers", "/customers?stage=dormant&sort=-last_day", "/customers?risk=1&group=champions&sort=-expected_value",
    "/customers?orders_min=5&net_min=1000", "/customers?after={after}", "/customers?q={name}", "/customers?q={phone}",
    "/customers/{id}", "/customers/{id}/orders", "/customers/{busy}", "/customers/shared",
    "/search?q={name}", "/search?q={phone}",
    "/insights/sales", "/insights/rfm", "/insights/rfm?show=net", "/insights/lifecycle", "/insights/cohorts",
    "/insights/rhythm", "/insights/risk", "/insights/voice",
    "/imports", "/events", "/events?name=Order+Completed", "/events/quarantine", "/events/catalogue",
    "/events/subscribers", "/keys", "/webhooks", "/jobs", "/settings", "/staff", "/audit",
)  # fmt: skip
API = (
    "/api/v1/customers", "/api/v1/customers?known=true", "/api/v1/customers?q={phone}",
    "/api/v1/customers/lookup?kind=phone&value={phone}",
    "/api/v1/customers/{id}", "/api/v1/customers/{id}/events", "/api/v1/customers/{id}/orders", "/api/v1/events",
    "/api/v1/figures", "/api/v1/segments", "/api/v1/segments/stage:active/customers",
)  # fmt: skip
PROFILE = """
import json, sys, time
from contextlib import contextmanager
from pathlib import Path
from bench.figure import django_on
django_on(Path(sys.argv[1]))
from django.db import connection
from django.test import Client
from regulars.accounts.models import Staff
from regulars.warehouse.queries.snapshot import Snapshot
spent, asked = {"operations": 0.0, "warehouse": 0.0}, []
@contextmanager
def timed(which, what):
    begun = time.process_time()
    yield
    took = time.process_time() - begun
    spent[which] += took
    asked.append((took, which, what))
def operations(execute, sql, params, many, context):
    with timed("operations", sql):
        return execute(sql, params, many, context)
read = Snapshot.read
def counted(self, sql, params=()):
    with timed("warehouse", sql):
        return read(self, sql, params)
Snapshot.read = counted
client = Client(raise_request_exception=False, headers={"host": "localhost"})
client.force_login(Staff.objects.get(email=sys.argv[2]))
import importlib
client.get("/overview")
client.get("/customers")
module = importlib.import_module("regulars.warehouse.queries.snapshot")
with connection.execute_wrapper(operations):
    for path in json.load(sys.stdin):
        module._answers.clear()
        spent.update(operations=0.0, warehouse=0.0)
        asked.clear()
        begun = time.process_time()
        answer = client.get(path, headers={"authorization": f"Bearer {sys.argv[3]}"} if path.startswith("/api/") else {})
        took = time.process_time() - begun
        assert answer.status_code == 200, (path, answer.status_code)
        print(json.dumps({"path": path, "took": took, **spent, "slowest": max(asked)}))
"""


def log_in(server: Server) -> httpx.Client:
    client = httpx.Client(base_url=server.url, timeout=120, follow_redirects=True)
    client.get("/login")
    form = {"email": LOGIN, "password": "demo-regulars", "csrfmiddlewaretoken": client.cookies["csrftoken"]}
    answer = client.post("/login", data=form, headers={"Origin": server.url, "Referer": f"{server.url}/login"})
    assert answer.url.path == "/overview", answer.url
    return client


def order(server: Server, who: int) -> None:
    """One order comes in; returns once the customer's worth says so."""
    mark, program = f"bench-{os.getpid()}-{who}", {"Authorization": f"Bearer {server.api_key}"}
    event = {
        "event": "Order Completed", "userId": mark, "messageId": mark,
        "properties": {"order_id": mark, "total": 10, "products": [{"product_id": "P", "price": 10, "quantity": 1}]},
    }  # fmt: skip
    httpx.post(f"{server.url}/v1/track", json=event, auth=(server.write_key, "")).raise_for_status()
    end = time.monotonic() + 120
    while time.monotonic() < end:
        look = {"kind": "user_id", "value": mark}
        found = httpx.get(f"{server.url}/api/v1/customers/lookup", params=look, headers=program)
        if found.status_code == 200 and (found.json()["worth"] or {}).get("orders"):
            return
        time.sleep(0.2)
    raise RuntimeError("an order didn't reach the scores")


def _named(server: Server, console: httpx.Client, home: Path) -> dict[str, Any]:
    """What the addresses are filled with: a customer who buys, the one with the longest timeline, the second page."""
    program = {"Authorization": f"Bearer {server.api_key}"}
    best = httpx.get(f"{server.url}/api/v1/segments/stage:active/customers", headers=program).json()
    one = best["data"][0]
    page = console.get("/customers").text
    after = page.split("after=")[1].split('"')[0].split("&")[0] if "after=" in page else ""
    file = home / "demo-truths.json"
    some = sorted(json.loads(file.read_text("utf-8"))["records"].values())
    detail = httpx.get(f"{server.url}/api/v1/customers/{one['id']}/identities", headers=program).json()
    phone = next((row["value"] for row in detail if row["kind"] == "phone"), "13800000000")
    return {"id": one["id"], "busy": some[len(some) // 2], "name": one["name"][:2], "phone": phone.replace("+", "%2B"),
            "after": after}  # fmt: skip


def p95(found: list[float]) -> float:
    # Inclusive: of few visits the other way of reckoning tells more than the slowest took.
    return statistics.quantiles(found, n=20, method="inclusive")[18] if len(found) > 1 else found[0]


def figures(size: Size) -> Iterator[Figure]:
    home = loaded(size)
    first: dict[str, list[float]] = defaultdict(list)
    later: dict[str, list[float]] = defaultdict(list)
    with serving(home) as server:
        console = log_in(server)
        order(server, 0)
        program = httpx.Client(base_url=server.url, timeout=120, headers={"Authorization": f"Bearer {server.api_key}"})
        filled = _named(server, console, home)
        clients = [(path.format(**filled), console) for path in CONSOLE] + [(p.format(**filled), program) for p in API]
        for turn in range(1, ROUNDS + 1):
            order(server, turn)
            for path, client in clients:
                for visit in range(1 + LATER):
                    begun = time.perf_counter()
                    answer = client.get(path)
                    took = (time.perf_counter() - begun) * 1000
                    assert answer.status_code == 200, (path, answer.status_code)
                    (later if visit else first)[path].append(took)
        memory = server.memory()
    for kind, belongs in (("console pages", False), ("reads of the API", True)):
        for visits, found in (("first", first), ("later", later)):
            every = [took for path in found if path.startswith("/api/") == belongs for took in found[path]]
            yield Figure(f"{kind}, {visits} visits, p50", statistics.median(every), "ms", memory=memory)
            worst = p95(every)
            yield Figure(f"{kind}, {visits} visits, p95", worst, "ms", aim=f"≤ {AIM:.0f} at 50×",
                         reached=worst <= AIM if size.times >= 50 else None, memory=memory)  # fmt: skip
    missed = [path for path in first if p95(first[path]) > AIM]
    for row in _profiled(home, missed, server.api_key):
        took, path = row["took"] * 1000, row["path"]
        note = (
            f"processor time {took:.0f} ms, of which {row['operations'] * 1000:.0f} operational database, "
            f"{row['warehouse'] * 1000:.0f} warehouse"
        )
        value = p95(first[path])
        yield Figure(
            f"{path}, first visits, p95", value, "ms", aim=f"≤ {AIM:.0f}", reached=False, note=note, memory=memory
        )
        spent, which, sql = row["slowest"]
        print(f"{path}: {spent * 1000:.0f} ms {which}: {' '.join(sql.split())[:200]}", file=sys.stderr)


def _profiled(home: Path, paths: list[str], api_key: str) -> list[dict[str, Any]]:
    """Each once more in a process of its own, with nothing remembered: its processor time (of all threads), and how
    much of it in the databases."""
    command = [sys.executable, "-c", PROFILE, str(home), LOGIN, api_key]
    done = subprocess.run(command, input=json.dumps(paths), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
