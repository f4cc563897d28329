"""A real `regulars serve` as its own process over a data folder, with keys to come in by."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

SCOPES = ("customers.view", "insights.view", "events.view")


@dataclass(frozen=True, slots=True)
class Server:
    """`write_key` for the tracking API, `api_key` for reading the JSON API."""

    url: str
    write_key: str
    api_key: str
    process: psutil.Process

    def memory(self) -> int:
        """Resident bytes of the server's whole family of processes; pages that they share count in each."""
        return sum(int(one.memory_info().rss) for one in self._family())

    def computed(self) -> float:
        """Seconds of processor time that the family has taken; of those that ended, nothing."""
        return sum(sum(one.cpu_times()[:2]) for one in self._family())

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _cli(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "regulars", *arguments], env={**os.environ, "REGULARS_HOME": str(home)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def key(home: Path) -> str:
    """For reading the JSON API."""
    return _cli(home, "key", "add-api", "Bench", *(part for scope in SCOPES for part in ("--scope", scope)))


@contextmanager
def serving(home: Path, **environment: str) -> Iterator[Server]:
    """Started, listening, and ended afterwards. What it says goes to <home>.log."""
    environment = {**os.environ, "REGULARS_HOME": str(home), "REGULARS_API_RATE": "0", **environment}

    write_key, api_key = _cli(home, "key", "add", "Bench"), key(home)
    port = free_port()
    with home.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "regulars", "serve", "--port", str(port)], env=environment, stdout=log, stderr=log
        )
    try:
        end = time.monotonic() + 120
        while True:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the server didn't start; see {home.with_suffix('.log')}")
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield Server(f"http://127.0.0.1:{port}", write_key, api_key, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(60)
