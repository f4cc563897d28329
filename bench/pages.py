"""How long a person waits for each page of the console, and a program for the main reads of the API: a real server over
a kept world, asked over HTTP by one who has logged in, one page after the other.

A *first* visit is the first after customers changed (an order comes in before each round), so that nothing asked before
is remembered; *later* visits follow at once. What misses the aim is told by itself, with its time in the databases.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

from bench.addresses import API, CONSOLE, FOLLOWED
from bench.figure import Figure, Size
from bench.server import Server, key, serving
from bench.world import furnish, loaded

AIM = 300.0
LOGIN = "demo@example.com"
ROUNDS = 5
LATER = 2
NAMES = """
import json, sys
from pathlib import Path
from bench.figure import django_on
django_on(Path(sys.argv[1]))
from bench.addresses import names
print(json.dumps(names(Path(sys.argv[1]))))
"""
PROFILE = """
import json, sys, time
from contextlib import contextmanager
from pathlib import Path
from bench.figure import django_on
django_on(Path(sys.argv[1]))
from django.db import connection
from django.test import Client
from bench.pages import following
from regulars.accounts.models import Staff
from regulars.warehouse.queries import snapshot as moment
Snapshot = sys.modules["regulars.warehouse.queries.snapshot"].Snapshot
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
for name in ("read", "read_arrow"):
    def counted(self, sql, params=(), read=getattr(Snapshot, name)):
        with timed("warehouse", sql):
            return read(self, sql, params)
    setattr(Snapshot, name, counted)
client = Client(raise_request_exception=True, headers={"host": "localhost"})
client.force_login(Staff.objects.get(email=sys.argv[2]))
headers = {"authorization": f"Bearer {sys.argv[3]}"}
def get(path):
    return client.get(path, headers=headers if path.startswith("/api/") else {})
get("/overview")
get("/customers")
answers = sys.modules["regulars.warehouse.queries.snapshot"]._answers
with connection.execute_wrapper(operations):
    for path, follow in json.load(sys.stdin):
        if follow:
            path = following(path, get(path).content.decode())
            if not path:
                continue
        for turn in range(2):  # the second is told: SQL is compiled by the first
            answers.clear()
            spent.update(operations=0.0, warehouse=0.0)
            asked.clear()
            clock, begun = time.perf_counter(), time.process_time()
            answer = get(path)
            took, clock = time.process_time() - begun, time.perf_counter() - clock
        assert answer.status_code == 200, (path, answer.status_code)
        print(json.dumps({"path": path, "took": took, "clock": clock, **spent, "slowest": max(asked, default=None),
                          "questions": len(asked)}), flush=True)
"""


def following(path: str, answer: str) -> str:
    """The address of the page after it; "" where there is none."""
    if path.startswith("/api/"):
        cursor, name = json.loads(answer).get("next_cursor") or "", "cursor"
    else:
        found = re.search(r"[?&;]after=([^\"&#]+)", answer)
        cursor, name = found[1] if found else "", "after"
    return f"{path}{'&' if '?' in path else '?'}{name}={cursor}" if cursor else ""


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
    httpx.post(f"{server.url}/v1/track", json=event, auth=(server.write_key, ""), timeout=120).raise_for_status()
    end = time.monotonic() + 120
    while time.monotonic() < end:
        look = {"kind": "user_id", "value": mark}
        found = httpx.get(f"{server.url}/api/v1/customers/lookup", params=look, headers=program)
        if found.status_code == 200 and (found.json()["worth"] or {}).get("orders"):
            return
        time.sleep(0.2)
    raise RuntimeError("an order didn't reach the scores")


def _addresses(home: Path) -> list[tuple[str, bool]]:
    """All of them, filled, and whether the page after it is meant."""
    told = subprocess.run([sys.executable, "-c", NAMES, str(home)], capture_output=True, text=True, check=True).stdout
    filled = json.loads(told.splitlines()[-1])
    every = [(path, False) for path in (*CONSOLE, *API)] + [(path, True) for path in FOLLOWED]
    return [(path.format(**filled), follow) for path, follow in dict.fromkeys(every)]


def p95(found: list[float]) -> float:
    # Inclusive: of few visits the other way of reckoning tells more than the slowest took.
    return statistics.quantiles(found, n=20, method="inclusive")[18] if len(found) > 1 else found[0]


def figures(size: Size) -> Iterator[Figure]:
    home = loaded(size)
    first: dict[str, list[float]] = defaultdict(list)
    later: dict[str, list[float]] = defaultdict(list)
    addresses = _addresses(home)
    with serving(home) as server:
        console = log_in(server)
        order(server, 0)
        program = httpx.Client(base_url=server.url, timeout=120, headers={"Authorization": f"Bearer {server.api_key}"})
        clients = [
            (asked, client)
            for path, follow in addresses
            for client in [program if path.startswith("/api/") else console]
            if (asked := following(path, client.get(path).text) if follow else path)
        ]
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
    for row in _profiled(home, [(path, False) for path in missed], server.api_key):
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


def _profiled(home: Path, paths: list[tuple[str, bool]], api_key: str) -> Iterator[dict[str, Any]]:
    """Each in one process of its own, with nothing remembered: its time by the clock and of the processors (all
    threads), and how much of this in the databases."""
    command = [sys.executable, "-c", PROFILE, str(home), LOGIN, api_key]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as done:
        assert done.stdin and done.stdout
        done.stdin.write(json.dumps(paths))
        done.stdin.close()
        yield from (json.loads(line) for line in done.stdout if line.startswith("{"))


def main() -> None:
    """What each address costs with nothing remembered, in one process without a server: milliseconds.
    `python -m bench.pages --home COPY [--only WORDS] [--beyond 200] [--sql]`: with the dearest question of each."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--beyond", type=float, default=0.0)
    parser.add_argument("--sql", action="store_true")
    options = parser.parse_args()
    furnish(options.home)
    api_key = key(options.home)
    paths = [(path, follow) for path, follow in _addresses(options.home) if options.only in path]
    print("| page | clock | processor | operational database | warehouse | questions |\n|---|---|---|---|---|---|")
    for row in _profiled(options.home, paths, api_key):
        if max(row["took"], row["clock"]) * 1000 < options.beyond:
            continue
        figures = (f"{row[name] * 1000:.0f}" for name in ("clock", "took", "operations", "warehouse"))
        print(f"| {unquote(row['path'])} | {' | '.join(figures)} | {row['questions']} |", flush=True)
        if options.sql and row["slowest"]:
            took, which, sql = row["slowest"]
            print(f"    {took * 1000:.0f} {which}: {' '.join(sql.split())[:300]}")


if __name__ == "__main__":
    main()
