"""How many tracked events a second are taken in durably, by the door alone and by a whole `regulars serve` that takes
them into log and warehouse meanwhile, against the same door that answers from memory.

The servers and this load generator share the machine. Rounds on all take turns; medians and their ratio are printed.
"""

import asyncio
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from bench.figure import Figure, Size, folder
from bench.server import free_port, serving

EVENT = (
    b'{"type":"track","event":"Product Viewed","userId":"u%06d","anonymousId":"a-%06d","messageId":"%s-%010d",'
    b'"timestamp":"2026-05-01T08:00:00.000Z","properties":{"product_id":"P-1001","name":"\xe7\xbe\xbd\xe7\xbb\x92\xe6\x9c\x8d",'
    b'"price":699,"currency":"CNY","category":"Coats"},"context":{"library":{"name":"analytics.js","version":"next-1.84.0"},'
    b'"page":{"path":"/p/1001","url":"https://shop.example/p/1001","title":"Coat"},"locale":"zh-CN"}}'
)
HEAD = (
    b"POST /v1/%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic %s\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)
REQUESTS = 60_000
BATCHED = 300_000  # events in batches a round; many more fill what a server lets wait in its inbox
ROUNDS = 3
_sent = 0


def request(batch: int, key: str) -> bytes:
    global _sent
    events = []
    for _ in range(batch):
        _sent += 1
        events.append(EVENT % (_sent % 50_000, _sent % 50_000, b"bench", _sent))
    body = b'{"batch":[' + b",".join(events) + b"]}" if batch > 1 else events[0]
    return HEAD % (b"batch" if batch > 1 else b"track", b64encode(f"{key}:".encode()), len(body)) + body


class Connection(asyncio.Protocol):
    """One request at a time; the next goes out when the answer is in."""

    def __init__(self, run: "Run") -> None:
        self.run = run

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self.run.requests:
            transport.write(self.run.next())

    def data_received(self, data: bytes) -> None:
        answers = data.count(b"HTTP/1.1 200")
        if not answers:
            self.run.failed(data)
        if self.run.answered(answers):
            self.transport.write(self.run.next())
        else:
            self.transport.close()


class Run:
    """So many requests, made beforehand so that making them isn't measured."""

    def __init__(self, requests: list[bytes]) -> None:
        self.requests = requests
        self.left = len(requests)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def next(self) -> bytes:
        return self.requests.pop()

    def answered(self, answers: int) -> bool:
        self.left -= answers
        if self.left <= 0 and not self.done.done():
            self.done.set_result(None)
        return bool(self.requests)

    def failed(self, data: bytes) -> None:
        if not self.done.done() and data.startswith(b"HTTP/1.1"):
            self.done.set_exception(RuntimeError(data[:300].decode(errors="replace")))


async def rate(port: int, requests: int, connections: int, batch: int, key: str) -> float:
    """Requests answered a second."""
    run = Run([request(batch, key) for _ in range(requests)])
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(run), "127.0.0.1", port)
    await run.done
    return requests / (time.perf_counter() - begun)


def serve(port: int, durable: bool, inbox_folder: str) -> None:
    from regulars.eventlog.ingest import door
    from regulars.eventlog.ingest.inbox import Inbox
    from regulars.eventlog.ingest.keys import WriteKeys
    from regulars.processes import answering

    class Memory:
        """Answers as soon as it may."""

        def put(self, record: bytes) -> "asyncio.Future[None]":
            future = asyncio.get_running_loop().create_future()
            future.set_result(None)
            return future

    inbox = Inbox(Path(inbox_folder), backlog_bytes=2**40) if durable else Memory()
    answers = door.Door(inbox, WriteKeys(lambda: {"bench": 1}))  # type: ignore[arg-type]
    opened = answering.listening("127.0.0.1", port)
    answering.answer(answers, opened, stopping=threading.Event(), ready=lambda: None, door=answers)


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def figures(size: Size) -> Iterator[Figure]:
    """Work that isn't made of customers: the same at every size."""
    ports = {"durable": free_port(), "memory": free_port()}
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # so that the servers end too
    with folder("ingest") as made, folder("ingest") as home:
        servers = [
            subprocess.Popen([sys.executable, "-m", "bench.ingest", kind, str(port), made])
            for kind, port in ports.items()
        ]
        try:
            with serving(home, REGULARS_TRACK_RATE="0") as whole:
                keys = dict.fromkeys(ports, "bench") | {"at work": whole.write_key}
                ports["at work"] = int(whole.url.rpartition(":")[2])
                while not all(listens(port) for port in ports.values()):
                    time.sleep(0.05)
                for batch, connections, aim in ((1, 64, 12_000), (100, 16, 100_000), (500, 16, 100_000)):
                    requests = BATCHED // batch if batch > 1 else REQUESTS
                    found: dict[str, list[float]] = {kind: [] for kind in ports}
                    for _ in range(ROUNDS):
                        for kind, port in ports.items():
                            answered = uvloop.run(rate(port, requests, connections, batch, keys[kind]))
                            found[kind].append(answered * batch)
                    medians = {kind: statistics.median(values) for kind, values in found.items()}
                    what = f"batches of {batch}" if batch > 1 else "single requests (1,700 published for RudderStack)"
                    for kind, words in (("durable", "the door alone"), ("at work", "everything at work")):
                        yield Figure(
                            f"{what}, {words}", medians[kind], "events/s", "from memory", medians["memory"],
                            f"≥ {aim:,}", medians[kind] >= aim, memory=whole.memory() if kind == "at work" else None,
                        )  # fmt: skip
        finally:
            for server in servers:
                server.terminate()
            for server in servers:
                server.wait()


if __name__ == "__main__":
    serve(int(sys.argv[2]), sys.argv[1] == "durable", sys.argv[3])
