"""A real `regulars serve` as its own process, on a folder and a port of its own; for every test that needs the whole."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from regulars.kernel import ids
from tests import postgres

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


class Server:
    """`regulars serve` on `home` and `port`. `start` returns once it listens; `log` holds what it printed so far."""

    def __init__(self, home: Path, port: int | None = None) -> None:
        self.home, self.port = home, port or free_port()
        self.log_file = home.with_suffix(".log")
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("REGULARS_", "PYTEST", "DJANGO_ALLOW"))
        } | {
            "REGULARS_HOME": str(home),
            "REGULARS_NODE_MODULES": os.environ["REGULARS_NODE_MODULES"],
            "REGULARS_LANGUAGE": "en",
            "PYTHONPATH": str(ROOT / "src"),
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def launch(self) -> subprocess.Popen[bytes]:
        """Begin without waiting until it listens."""
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "regulars", "serve", "--port", str(self.port)],
                env=self.environment, cwd=ROOT, stdout=log, stderr=log,
            )  # fmt: skip
        return self.process

    def start(self, seconds: float = 60) -> "Server":
        before = len(self.log)
        self.process = self.launch()
        end, pause = time.monotonic() + seconds, threading.Event()
        while f"Regulars: {self.url}" not in self.log[before:]:
            assert self.process.poll() is None, f"serve ended with {self.process.returncode}: {self.log[before:]}"
            assert time.monotonic() < end, f"serve didn't listen within {seconds} s: {self.log[before:]}"
            pause.wait(0.05)
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 40) -> int:
        """End it gracefully; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """As a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def cli(self, *arguments: str, input: str | None = None, seconds: float = 120, **environment: str) -> "Result":
        """Run `regulars …` on the same folder."""
        return subprocess.run(
            [sys.executable, "-m", "regulars", *arguments], env={**self.environment, **environment}, cwd=ROOT,
            input=input, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip


Result = subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty database of this version, to be copied: migrating takes seconds."""
    home = tmp_path_factory.mktemp("template") / "home"
    home.mkdir()
    made = Server(home).cli("migrate")
    assert made.returncode == 0, made.stderr
    return home


def _servers(template: Path, folder: Path) -> Iterator[Callable[[], Server]]:
    made: list[Server] = []

    def make() -> Server:
        home = folder / f"home{len(made)}"
        shutil.copytree(template, home)
        made.append(Server(home))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.kill()


@pytest.fixture
def new_server(migrated_home: Path, tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Makes servers on fresh folders, not started yet, to be stopped and killed; whatever still runs is killed."""
    yield from _servers(migrated_home, tmp_path)


@pytest.fixture(scope="module")
def server(migrated_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that runs, shared by the tests of a file: starting takes seconds. Leave it running."""
    for make in _servers(migrated_home, tmp_path_factory.mktemp("server")):
        yield make().start()


@pytest.fixture(scope="session")
def a_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the PostgreSQL that the tests run on, or of one of its own."""
    if url := os.environ.get("REGULARS_DATABASE_URL"):
        yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="regulars-test-postgres-"))  # not pytest's: its name is too long for a socket
    yield postgres.started(folder / "data")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(a_postgres: str) -> str:
    """The address of an empty database."""
    return postgres.database(a_postgres, f"house_{ids.new_id()}")
