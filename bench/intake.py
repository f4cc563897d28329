"""How many events a second get from the inbox into the log and the warehouse, resolved and checked; what each stage
costs; how much memory it takes.

    PYTHONPATH=src python -m bench.intake [--events 400000] [--chunk 100000] [--home FOLDER] [--alone]

A made-up shop's stream as clients send it: sessions of a few events, half of them in browsers never seen before, the
others of people who come back, some on a second device; page views, product views, carts, orders, identify calls with
traits; some in requests of their own, most in batches of ten to a hundred; one in a hundred sent twice, one in a
thousand faulty. It is put into the inbox a chunk at a time (not measured); then this process takes it in while another
one feeds the warehouse, as `regulars serve` does, until the warehouse has it all. `--alone` leaves the warehouse out.

The floor is the least that any intake does: parse the same bodies and insert the same rows, with the same sync and one
unique key, without looking at them.
"""

import argparse
import asyncio
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

AGENTS = [
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
    for system in ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "Linux; Android 14; 2312DRA50C")
    for version in range(110, 150)
]
FIRST = 1_780_000_000  # seconds since 1970 of the first event
A_SECOND = 200  # events of the stream


class Shop:
    """Who comes and what they do, the same for the same seed."""

    def __init__(self, seed: int = 1) -> None:
        self.chance = random.Random(seed)
        self.browsers: list[tuple[str, int]] = []  # anonymous id, person (0: never said who)
        self.people = 0
        self.sent = 0

    def stream(self, events: int) -> Iterator[dict[str, Any]]:
        """About so many events; 50 visits go on at the same time."""
        visits = [self._visit() for _ in range(50)]
        for _ in range(events):
            place = self.chance.randrange(50)
            message = next(visits[place], None)
            if message is None:
                visits[place] = self._visit()
                message = next(visits[place])
            yield message

    def requests(self, events: int) -> Iterator[tuple[str, bytes]]:
        """(kind, body): singles, batches, and what is sent twice."""
        import msgspec

        encode = msgspec.json.encode
        chance = self.chance
        waiting: list[dict[str, Any]] = []
        size = 1
        for message in self.stream(events):
            waiting.append(message)
            if len(waiting) < size:
                continue
            if size == 1:
                kind, body = waiting[0]["type"], encode(waiting[0])
            else:
                kind, body = "batch", encode({"batch": waiting, "sentAt": waiting[-1]["sentAt"]})
            yield kind, body
            if chance.random() < 0.01:
                yield kind, body
            waiting = []
            size = 1 if chance.random() < 0.5 else chance.choice((10, 20, 50, 100))
        if waiting:
            yield "batch", encode({"batch": waiting})

    def _visit(self) -> Iterator[dict[str, Any]]:
        chance = self.chance
        if self.browsers and chance.random() < 0.5:
            which = chance.randrange(len(self.browsers))
            browser, person = self.browsers[which]
        else:
            which = len(self.browsers)
            browser, person = f"{chance.getrandbits(128):032x}", 0
            self.browsers.append((browser, person))
        agent = chance.choice(AGENTS)
        campaign = {"source": "wechat", "medium": "social", "name": f"c{chance.randrange(40)}"}
        says = chance.random() < (0.6 if person else 0.15)
        length = min(2 + int(chance.expovariate(1 / 5)), 40)
        for step in range(length):
            item = chance.randrange(5000)
            page = {
                "path": f"/p/{item}",
                "url": f"https://shop.example/p/{item}?utm_source=wechat",
                "title": f"羽绒服 {item}",
                "referrer": "https://shop.example/",
            }
            context = {
                "library": {"name": "analytics.js", "version": "next-1.84.0"},
                "page": page,
                "userAgent": agent,
                "locale": "zh-CN",
                "timezone": "Asia/Shanghai",
                "campaign": campaign,
            }
            yield self._message(browser, person, context, self._call(step, item, page, says, which))
            person = self.browsers[which][1]

    def _call(self, step: int, item: int, page: dict[str, Any], says: bool, which: int) -> dict[str, Any]:
        chance = self.chance
        if says and step == 1:
            person = self.browsers[which][1]
            if not person:
                old = self.people and chance.random() < 0.3  # a second device of somebody
                if not old:
                    self.people += 1
                person = chance.randint(1, self.people) if old else self.people
                self.browsers[which] = self.browsers[which][0], person
            told = {
                "name": "李雷",
                "email": f"c{person}@example.com",
                "phone": f"138{person:08d}",
                "address": {"city": "上海"},
                "plan": "gold" if chance.random() < 0.1 else "silver",
            }
            return {"type": "identify", "traits": told}
        kind = chance.random()
        if kind < 0.45:
            return {"type": "page", "name": "Product", "properties": {**page, "search": ""}}
        product = {
            "product_id": f"P-{item}", "sku": f"S-{item}", "name": f"羽绒服 {item}", "price": 199.5 + item % 700,
            "currency": "CNY", "category": "Coats", "brand": "Hut", "variant": "M",
        }  # fmt: skip
        if kind < 0.85:
            return {"type": "track", "event": "Product Viewed", "properties": product}
        if kind < 0.93:
            return {"type": "track", "event": "Product Added", "properties": {**product, "quantity": 1}}
        if kind < 0.96:
            return {"type": "track", "event": "Video Played", "properties": {"video": item, "seconds": 12.5}}
        lines = [{**product, "product_id": f"P-{item + n}", "quantity": n + 1} for n in range(3)]
        order = {"order_id": f"O-{self.sent}", "total": 1197, "currency": "CNY", "store": "S1", "products": lines}
        if chance.random() < 0.02:
            order["total"] = "much"  # goes to quarantine
        return {"type": "track", "event": "Order Completed", "properties": order}

    def _message(
        self, browser: str, person: int, context: dict[str, Any], call: dict[str, Any]
    ) -> dict[str, Any]:  # fmt: skip
        self.sent += 1
        thousandths = FIRST * 1000 + self.sent * 1000 // A_SECOND
        at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(thousandths // 1000))}.{thousandths % 1000:03d}Z"
        who = {"anonymousId": f"{browser[:8]}-{browser[8:12]}-{browser[12:16]}-{browser[16:20]}-{browser[20:]}"}
        if call["type"] == "identify":
            person = int(call["traits"]["phone"][3:])
        if person:
            who["userId"] = f"u{person:06d}"
        id = f"ajs-next-{thousandths}-{self.chance.getrandbits(128):032x}"
        return {
            "timestamp": at, "integrations": {}, **who, **call, "context": context, "messageId": id,
            "sentAt": at, "_metadata": {"bundled": ["Segment.io"], "unbundled": [], "bundledIds": []},
        }  # fmt: skip


def memory(pid: int | str = "self") -> float:
    """Resident, in MB."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Stages:
    """CPU seconds of this thread within functions that are wrapped; one inside another counts for itself."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inside: list[float] = []

    def watch(self, owner: Any, name: str, stage: str) -> None:
        function: Callable[..., Any] = getattr(owner, name)

        def watched(*args: Any, **named: Any) -> Any:
            self._inside.append(0.0)
            begun = time.thread_time()
            try:
                return function(*args, **named)
            finally:
                took = time.thread_time() - begun
                self.spent[stage] += took - self._inside.pop()
                if self._inside:
                    self._inside[-1] += took

        setattr(owner, name, watched)


def feed() -> None:
    """The other process: carries the warehouse on until its input ends; says what it cost."""
    import django

    django.setup()
    from regulars.eventlog import dispatch
    from regulars.warehouse import engine
    from regulars.wiring.subscriptions import SUBSCRIBERS

    warehouse = next(one for one in SUBSCRIBERS if one.name == "warehouse")
    os.set_blocking(sys.stdin.fileno(), False)
    print("ready", flush=True)
    while sys.stdin.buffer.read(1) is None:
        if not dispatch.advance(warehouse):
            time.sleep(0.02)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, engine.read("SELECT count(*) FROM events")[0][0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--chunk", type=int, default=100_000)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--feed", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "regulars.settings"
    if options.feed:
        feed()
        return
    folder = Path(tempfile.mkdtemp(prefix="bench-intake-", dir=options.home or Path.cwd()))
    os.environ["REGULARS_HOME"] = str(folder)
    try:
        measure(options.events, options.chunk, alone=options.alone)
    finally:
        shutil.rmtree(folder)


def measure(events: int, chunk: int, *, alone: bool) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    from regulars.eventlog import queries
    from regulars.eventlog.ingest import envelope
    from regulars.eventlog.ingest.inbox import packed
    from regulars.eventlog.models import Cursor
    from regulars.kernel import clock
    from regulars.wiring import receiving

    call_command("migrate", verbosity=0)
    box = receiving.open_inbox()
    shop = Shop()
    stages = Stages()
    stages.watch(receiving.inbox, "read", "read the inbox")
    stages.watch(envelope, "parse", "parse and check")
    stages.watch(receiving.customers, "resolve", "resolve")
    stages.watch(receiving.eventlog, "append", "append")
    stages.watch(receiving.quarantine, "put", "quarantine")
    connection.ensure_connection()
    stages.watch(connection, "commit", "commit")
    stages.watch(receiving, "drain", "the rest")

    async def fill() -> float:
        """Put a chunk into the inbox; what the floor takes for it."""
        taken = 0.0
        requests = shop.requests(chunk)
        while some := list(islice(requests, 500)):
            now = clock.micros()
            records = [packed(received_at=now, key_id=1, kind=kind, sent_at="", body=body) for kind, body in some]
            await asyncio.gather(*[box.put(record) for record in records])
            taken += least(some, settings.HOME / "floor.sqlite3")
        return taken

    other = None
    if not alone:
        other = subprocess.Popen(
            [sys.executable, "-m", "bench.intake", "--feed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert other.stdout is not None
        other.stdout.readline()
    print(f"{memory():6.0f} MB before")
    seconds = taking = computed = floor = told = 0.0
    done = 0
    for _ in range(max(events // chunk, 1)):
        floor += asyncio.run(fill())
        begun, cpu = time.perf_counter(), time.process_time()
        while receiving.drain():
            pass
        taking += time.perf_counter() - begun
        computed += time.process_time() - cpu
        if other is not None:
            last = queries.last_position()
            while (Cursor.objects.filter(name="warehouse").values_list("position", flat=True).first() or 0) < last:
                assert other.poll() is None, "the feed ended"
                time.sleep(0.01)
        seconds += time.perf_counter() - begun
        done += chunk
        if done * 4 // events > told:
            told = done * 4 // events
            there = f", {memory(other.pid):6.0f} MB in the feed" if other else ""
            print(f"{memory():6.0f} MB{there} after {done:9,} events, {done / seconds:9,.0f} events/s", flush=True)
    put = done - receiving.quarantine.Quarantined.objects.count()
    stored = sum(1 for row in _rows(queries) if row.source == "track:1")
    assert stored == put, f"{stored} of {put} events are in the log"
    where = "into the log" if alone else "into the log and the warehouse"
    print(f"{done / seconds:9,.0f} events/s from the inbox {where} ({done:,} events, {shop.people:,} people)")
    print(f"{done / taking:9,.0f} events/s from the inbox into the log, beside it")
    print(f"{done / computed:9,.0f} events per second of this process's processor time, {floor / computed:.2f} of it")
    print(f"{computed / done * 1e6:9.1f} µs an event, of which (the floor: {floor / done * 1e6:.1f})")
    for stage, spent in sorted(stages.spent.items(), key=lambda item: -item[1]):
        print(f"{spent / done * 1e6:9.1f} µs {stage}")
    if other is not None:
        assert other.stdin is not None and other.stdout is not None
        other.stdin.close()
        used, fed = map(float, other.stdout.read().split())
        other.wait()
        assert fed == queries.last_position(), f"{fed} of {queries.last_position()} events are in the warehouse"
        print(f"{used / done * 1e6:9.1f} µs in the process that feeds the warehouse")
    box.close()


def least(requests: list[tuple[str, bytes]], path: Path) -> float:
    """CPU seconds to parse these bodies and insert their events with the same sync, unlooked at."""
    import msgspec

    base = sqlite3.connect(path)
    base.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;"
        "CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, message_id TEXT UNIQUE, name TEXT, at TEXT,"
        " received_at TEXT, properties TEXT, context TEXT, source TEXT)"
    )
    begun = time.process_time()
    encode = msgspec.json.Encoder().encode
    rows: list[tuple[Any, ...]] = []
    for kind, body in requests:
        data = msgspec.json.decode(body)
        rows += [
            (one["messageId"], one.get("event"), one["timestamp"], one["timestamp"],
             encode(one.get("properties")), encode(one["context"]), "track:1")
            for one in (data["batch"] if kind == "batch" else (data,))
        ]  # fmt: skip
    with base:
        base.executemany(
            "INSERT INTO event (message_id, name, at, received_at, properties, context, source)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            rows,
        )
    taken = time.process_time() - begun
    base.close()
    return taken


def _rows(queries: Any) -> Iterator[Any]:
    position = 0
    while rows := queries.after(position, 20_000):
        yield from rows
        position = rows[-1].position


if __name__ == "__main__":
    main()
