"""How many events a second get from the inbox into the log, resolved and checked, on SQLite; and how much memory.

    PYTHONPATH=src python -m bench.intake [--events 200000] [--customers 20000] [--home FOLDER]

The events come in batches of 100, as clients send them: page views, product views, orders, a few identify calls; four
fifths of them of customers seen before.
"""

import argparse
import asyncio
import os
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import Any


def event(number: int, customers: int, chance: random.Random) -> dict[str, Any]:
    who = chance.randrange(customers)
    message: dict[str, Any] = {
        "messageId": f"bench-{number:010d}",
        "anonymousId": f"a-{who:06d}",
        "timestamp": "2026-05-01T08:00:00.000Z",
        "context": {
            "library": {"name": "analytics.js", "version": "next-1.84.0"},
            "page": {"path": "/p/1001", "url": "https://shop.example/p/1001", "title": "Coat"},
            "locale": "zh-CN",
        },
    }
    if who % 3 == 0:
        message["userId"] = f"u{who:06d}"
    kind = chance.random()
    if kind < 0.03:
        told = {"name": "李雷", "email": f"c{who}@example.com", "phone": f"138{who:08d}"}
        return {**message, "type": "identify", "userId": f"u{who:06d}", "traits": told}
    if kind < 0.4:
        return {**message, "type": "page", "properties": {"path": "/p/1001", "title": "Coat"}}
    if kind < 0.9:
        product = {"product_id": "P-1001", "name": "羽绒服", "price": 699, "currency": "CNY", "category": "Coats"}
        return {**message, "type": "track", "event": "Product Viewed", "properties": product}
    lines = [{"product_id": f"P-{n}", "price": 99.5, "quantity": 2, "category": "Coats"} for n in range(3)]
    order = {"order_id": f"O-{number}", "total": 597, "currency": "CNY", "products": lines}
    return {**message, "type": "track", "event": "Order Completed", "properties": order}


def megabytes() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-intake-", dir=Path.cwd()) as folder:
        os.environ["REGULARS_HOME"] = str(options.home or folder)
        os.environ["DJANGO_SETTINGS_MODULE"] = "regulars.settings"
        measure(options.events, options.customers)


def measure(events: int, customers: int) -> None:
    import django

    django.setup()
    import msgspec
    from django.core.management import call_command

    from regulars.eventlog import queries
    from regulars.eventlog.ingest.inbox import packed
    from regulars.kernel import clock
    from regulars.wiring import receiving

    call_command("migrate", verbosity=0)
    box = receiving.open_inbox()
    chance = random.Random(1)

    async def fill() -> None:
        for first in range(0, events, 10_000):
            batches = [
                [event(number, customers, chance) for number in range(start, min(start + 100, events))]
                for start in range(first, min(first + 10_000, events), 100)
            ]
            now = clock.micros()
            bodies = [msgspec.json.encode({"batch": batch}) for batch in batches]
            records = [packed(received_at=now, key_id=1, kind="batch", sent_at="", body=body) for body in bodies]
            await asyncio.gather(*[box.put(record) for record in records])

    asyncio.run(fill())
    begun, computed, requests, told = time.perf_counter(), time.process_time(), 0, 0
    print(f"{megabytes():6.0f} MB before")
    while taken := receiving.drain():
        requests += taken
        if requests * 100 * 4 // events > told:
            told = requests * 100 * 4 // events
            seconds = time.perf_counter() - begun
            print(f"{megabytes():6.0f} MB after {requests * 100:9,} events, {requests * 100 / seconds:9,.0f} events/s")
    seconds, computed = time.perf_counter() - begun, time.process_time() - computed
    stored = sum(1 for row in _rows(queries) if row.source == "track:1")
    assert stored == events, f"{stored} of {events} events are in the log"
    print(f"{events / seconds:9,.0f} events/s from the inbox into the log ({events:,} events, {customers:,} customers)")
    print(f"{events / computed:9,.0f} events per second of processor time (what counts on a busy machine)")
    box.close()


def _rows(queries: Any) -> Any:
    position = 0
    while rows := queries.after(position, 20_000):
        yield from rows
        position = rows[-1].position


if __name__ == "__main__":
    main()
