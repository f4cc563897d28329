"""How many events a second get from the inbox into the log and the warehouse, resolved and checked; what each stage
costs in processor time; how much memory it takes; how long somebody else's write to the database waits meanwhile.

A made-up shop's stream as clients send it: sessions of a few events, half of them in browsers never seen before, the
others of people who come back, some on a second device; page views, product views, carts, orders, identify calls with
traits; some in requests of their own, most in batches of ten to a hundred; one in a hundred sent twice, one in a
thousand faulty. A process puts it into the inbox in a few large parts (not measured, and its memory isn't intake's); then
this one takes it in while another one feeds the warehouse, as `regulars serve` does, until the warehouse has it all, and
one more writes now and then, as the console does. Last, events come in a hundred at a time, each taken in before the next. Memory is what processes
hold for themselves: pages of the database's file that are mapped are the kernel's, which takes them back when it likes.

The floor is the least that any intake does: parse the same bodies and insert the same rows, with the same sync and one
unique key, without looking at them.
"""

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import psutil

from bench.figure import Figure, Size, django_on, folder

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
    """Another process: carries the warehouse on until its input ends; says what it cost and how many events it has."""
    from regulars.eventlog import dispatch
    from regulars.warehouse import engine
    from regulars.wiring.loops import GATHER_SECONDS
    from regulars.wiring.subscriptions import SUBSCRIBERS

    warehouse = next(one for one in SUBSCRIBERS if one.name == "warehouse")
    begun = time.process_time()
    while sys.stdin.buffer.read(1) is None:
        if not dispatch.advance(warehouse):
            time.sleep(GATHER_SECONDS)
    print(time.process_time() - begun, engine.read("SELECT count(*) FROM events")[0][0])


def write() -> None:
    """Another process: writes to the database ten times a second until its input ends; says how long that took."""
    from django.db import connection, transaction

    took = []
    while sys.stdin.buffer.read(1) is None:
        begun = time.perf_counter()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE eventlog_numbering SET last = last")
        took.append(time.perf_counter() - begun)
        time.sleep(0.1)
    took.sort()
    print(took[-1], took[int(len(took) * 0.95)])


def fill() -> None:
    """Another process: puts as many events into the inbox as each line of its input says; answers with what the floor
    takes for them (CPU seconds) and how many people there are by now.
    """
    from regulars.eventlog.ingest.inbox import packed
    from regulars.kernel import clock
    from regulars.wiring import receiving

    box = receiving.open_inbox()
    shop = Shop()

    async def put(events: int) -> float:
        taken = 0.0
        requests = shop.requests(events)
        while some := list(islice(requests, 500)):
            now = clock.micros()
            records = [packed(received_at=now, key_id=1, kind=kind, sent_at="", body=body) for kind, body in some]
            await asyncio.gather(*[box.put(record) for record in records])
            taken += least(some, Path(os.environ["REGULARS_HOME"]) / "floor.sqlite3")
        return taken

    for line in sys.stdin:
        print(asyncio.run(put(int(line))), shop.people, flush=True)
    box.close()


class Other:
    """A process beside this one."""

    def __init__(self, work: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.intake", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.said, self.heard = self.process.stdin, self.process.stdout
        self.heard.readline()

    def ask(self, what: object) -> list[float]:
        """What it answers."""
        print(what, file=self.said, flush=True)
        return [float(word) for word in self.heard.readline().split()]

    def end(self) -> list[float]:
        """What it says at its end."""
        told, _ = self.process.communicate("")
        return [float(word) for word in told.split()]


@contextmanager
def others(*works: str) -> Iterator[list[Other]]:
    begun = [Other(work) for work in works]
    try:
        yield begun
    finally:
        for one in begun:
            if one.process.poll() is None:
                one.process.kill()
                one.process.wait()


SAMPLED_SECONDS = 0.5


def held(pid: int) -> int:
    """Bytes, without mapped files where the system tells them apart."""
    info = psutil.Process(pid).memory_info()
    return int(info.rss - getattr(info, "shared", 0))


def figures(size: Size) -> Iterator[Figure]:
    with folder("intake") as made:
        django_on(made)
        with others("fill", "feed", "write") as (filling, feeding, writing):
            yield from _figures(size, filling, feeding, writing)


def _figures(size: Size, filling: Other, feeding: Other, writing: Other) -> Iterator[Figure]:
    from django.db import connection

    from regulars.eventlog import queries
    from regulars.eventlog.ingest import envelope
    from regulars.eventlog.models import Cursor
    from regulars.wiring import receiving

    stages = Stages()
    stages.watch(receiving.inbox, "read", "read the inbox")
    stages.watch(envelope, "parse", "parse and check")
    stages.watch(receiving.customers, "resolve", "resolve")
    stages.watch(receiving.eventlog, "append", "append")
    stages.watch(receiving.quarantine, "put", "quarantine")
    connection.ensure_connection()
    stages.watch(connection, "commit", "commit")
    stages.watch(receiving, "drain", "the rest")

    def take_in() -> tuple[float, float]:
        """Seconds until all is in the warehouse; processor time of this process."""
        begun, cpu = time.perf_counter(), time.process_time()
        while receiving.drain():
            if time.perf_counter() - sampled[-1] > SAMPLED_SECONDS:  # telling what processes hold takes time itself
                sampled.append(time.perf_counter())
                memory.append((held(os.getpid()), held(feeding.process.pid)))
        cpu = time.process_time() - cpu
        last = queries.last_position()
        while (Cursor.objects.filter(name="warehouse").values_list("position", flat=True).first() or 0) < last:
            assert feeding.process.poll() is None, "the feed ended"
            time.sleep(0.005)
        return time.perf_counter() - begun, cpu

    parts = max(2, size.events // 400_000)  # few: the feed is still at work when intake has done a part, once for each
    part = size.events // parts
    seconds = computed = floor = 0.0
    memory: list[tuple[int, int]] = []
    sampled = [0.0]
    for _ in range(parts):
        more, people = filling.ask(part)
        floor += more
        took, cpu = take_in()
        seconds, computed = seconds + took, computed + cpu
    events = part * parts
    quarters = [memory[len(memory) * one // 4 : len(memory) * (one + 1) // 4] for one in range(4)]
    put = events - receiving.quarantine.Quarantined.objects.count()
    stored = sum(1 for row in _rows(queries) if row.source == "track:1")
    assert stored == put, f"{stored} of {put} events are in the log"
    spent = dict(stages.spent)
    used = _used(psutil.Process(feeding.process.pid))
    small: list[float] = []
    for _ in range(20):
        filling.ask(100)
        small.append(take_in()[0])
    fed_small = _used(psutil.Process(feeding.process.pid)) - used
    worst, p95 = writing.end()
    used, fed = feeding.end()
    used -= fed_small
    filling.end()
    assert fed == queries.last_position(), f"{fed} of {queries.last_position()} events are in the warehouse"

    def each(taken: float) -> float:
        return taken / events * 1e6

    rate = events / seconds
    both = f"{events:,} events, {people:,.0f} people"
    yield Figure(
        "from the inbox into log and warehouse", rate, "events/s", aim="≥ 25,000", reached=rate >= 25_000, note=both
    )
    yield Figure("intake's processor time an event", each(computed), "µs", "floor", each(floor))
    for stage, taken in sorted(spent.items(), key=lambda item: -item[1]):
        yield Figure(f"of that: {stage}", each(taken), "µs")
    yield Figure("feed's processor time an event", each(used), "µs")
    yield Figure("feed's processor time for a hundred alone", fed_small / len(small) * 1000, "ms")
    yield Figure("a hundred events alone until they are there, p50", sorted(small)[len(small) // 2], "s")
    yield Figure("another's write to the database meanwhile, p95", p95, "s")
    yield Figure("another's write to the database meanwhile, slowest", worst, "s", aim="≤ 0.5", reached=worst <= 0.5)
    for name, place in (("intake", 0), ("feed", 1)):
        peaks = [max(sample[place] for sample in quarter) for quarter in quarters]
        for quarter, peak in enumerate(peaks, 1):
            last = quarter == 4 and size.times >= 4  # before, what is kept of identities (100,000 at most) still grows
            yield Figure(
                f"most memory of {name} in quarter {quarter}", peak / 2**20, "MB", "quarter 2", peaks[1] / 2**20,
                aim="≤ 1.1 × quarter 2" if last else "", reached=peak <= 1.1 * peaks[1] if last else None, memory=peak,
            )  # fmt: skip


def _used(process: psutil.Process) -> float:
    """CPU seconds."""
    return float(sum(process.cpu_times()[:2]))


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
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "regulars.settings"
    django.setup()
    if sys.argv[1] != "fill":
        os.set_blocking(sys.stdin.fileno(), False)
    print("ready", flush=True)
    {"fill": fill, "feed": feed, "write": write}[sys.argv[1]]()
