"""How fresh everything is under a steady stream: a real `regulars serve` on the made-up world takes 1,000 events a second
(batches of 50, of customers it knows); beside them orders come in one by one, and each is watched from the tracking
API's 200 until the customer's timeline shows it and until the customer's scores count it (both asked over the JSON API,
twenty times a second). The promise is 5 seconds.
"""

import itertools
import json
import random
import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx

from bench.figure import Figure, Size, folder
from bench.server import Server, serving
from bench.world import loaded

RATE = 1_000
BATCH = 50
PROMISE = 5.0
PAUSE = 0.05  # between two looks


def event(key: str, number: str, chance: random.Random) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    message: dict[str, Any] = {"messageId": f"bench-{number}", "userId": key, "timestamp": now, "type": "track"}
    kind = chance.random()
    if kind < 0.6:
        return {**message, "type": "page", "properties": {"path": "/tea", "title": "Tea"}}
    if kind < 0.97:
        return {
            **message,
            "event": "Product Viewed",
            "properties": {"product_id": "P-1", "price": 69, "category": "Tea"},
        }
    return {**message, "event": "Order Completed", "properties": order(number)}


def order(number: str) -> dict[str, Any]:
    lines = [{"product_id": "P-1", "price": 69, "quantity": 1, "category": "Tea"}]
    return {"order_id": f"bench-{number}", "total": 69, "currency": "CNY", "products": lines}


class Stream(threading.Thread):
    """RATE events a second until told to stop; what is late is caught up."""

    def __init__(self, server: Server, keys: list[str]) -> None:
        super().__init__(daemon=True)
        self.server, self.keys = server, keys
        self.sent, self.refused, self.ended = 0, 0, threading.Event()

    def run(self) -> None:
        chance, begun = random.Random(1), time.monotonic()
        with httpx.Client(base_url=self.server.url, auth=(self.server.write_key, ""), timeout=30) as client:
            for turn in itertools.count():
                if self.ended.wait(max(begun + turn * BATCH / RATE - time.monotonic(), 0)):
                    return
                who = chance.choices(self.keys, k=BATCH)
                batch = [event(key, f"s{turn}-{place}", chance) for place, key in enumerate(who)]
                if client.post("/v1/batch", json={"batch": batch}).status_code == 200:
                    self.sent += BATCH
                else:
                    self.refused += BATCH


class Watch:
    """Seconds from the 200 of an order to the timeline, and to the scores."""

    def __init__(self, server: Server) -> None:
        self.client = httpx.Client(
            base_url=server.url, headers={"Authorization": f"Bearer {server.api_key}"}, timeout=60
        )  # fmt: skip
        self.sender = httpx.Client(base_url=server.url, auth=(server.write_key, ""), timeout=60)
        self.shown: list[float] = []
        self.scored: list[float] = []

    def one(self, key: str, number: str) -> None:
        found = self.client.get("/api/v1/customers/lookup", params={"kind": "user_id", "value": key})
        if found.status_code == 404:
            return  # somebody of the world who never told who they are
        before = found.json()
        orders = (before["worth"] or {"orders": 0})["orders"]
        message = {
            "messageId": f"bench-{number}",
            "userId": key,
            "event": "Order Completed",
            "properties": order(number),
        }
        self.sender.post("/v1/track", json=message).raise_for_status()
        begun, shown = time.monotonic(), None
        address = f"/api/v1/customers/{before['id']}"
        while True:
            if shown is None:
                rows = self.client.get(f"{address}/events", params={"limit": 5, "event": "Order Completed"}).json()
                if any(row["message_id"] == message["messageId"] for row in rows["data"]):
                    shown = time.monotonic() - begun
            if shown is not None:
                worth = self.client.get(address).json()["worth"]
                if worth and worth["orders"] > orders:
                    break
            if time.monotonic() - begun > 120:
                raise RuntimeError(f"the order {number} didn't arrive")
            time.sleep(PAUSE)
        self.shown.append(shown)
        self.scored.append(time.monotonic() - begun)


def figures(size: Size) -> Iterator[Figure]:
    seconds = 120 if size.times < 50 else 300
    with folder("live") as made:
        home = made / "home"
        shutil.copytree(loaded(size), home)
        names = json.loads((home / "demo-truths.json").read_text("utf-8"))["records"]
        keys = sorted(names)
        random.Random(2).shuffle(keys)
        watched, streamed = keys[:500], keys[500:]  # the stream's own orders would be taken for the watched ones
        with serving(home) as server:
            watch = Watch(server)
            while not watch.shown:  # what is slow once is not the stream's fault
                watch.one(watched.pop(), f"warm{len(watched)}")
            watch.shown.clear()
            watch.scored.clear()
            at_first, computed = server.memory(), server.computed()
            stream = Stream(server, streamed)
            stream.start()
            begun = time.monotonic()
            while time.monotonic() - begun < seconds and watched:
                watch.one(watched.pop(), f"w{len(watched)}")
            stream.ended.set()
            stream.join()
            took = time.monotonic() - begun
            before = len(watch.scored)
            while len(watch.scored) == before:  # behind everything that was sent
                watch.one(watched.pop(), f"last{len(watched)}")
            behind = watch.scored.pop()
            at_last, computed = server.memory(), server.computed() - computed
    rate = stream.sent / took
    busy = f"{computed / took:.2f} processors busy, {stream.refused} refused"
    yield Figure("events taken in meanwhile", rate, "events/s", "asked", RATE, memory=at_last, note=busy)
    for what, found in (("on the timeline", watch.shown), ("in stage and scores", watch.scored)):
        note = f"{len(found)} orders, slowest {max(found):.1f} s"
        yield Figure(f"{what}, p50", statistics.median(found), "s", memory=at_last, note=note)
        worst = statistics.quantiles(found, n=20)[18]
        aim = f"≤ {PROMISE:.0f}"
        yield Figure(f"{what}, p95", worst, "s", aim=aim, reached=worst <= PROMISE, memory=at_last, note=note)
    yield Figure("time to catch up at the end", behind, "s", memory=at_last)
    yield Figure("server's memory at the end", at_last / 2**20, "MB", "at the start", at_first / 2**20, memory=at_last)
