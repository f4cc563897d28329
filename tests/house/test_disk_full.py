"""A whole server on a disk that fills up: it says so at every door, keeps what it acknowledged, and goes on by itself
when there is room again, without a restart.

The disk is a small tmpfs in a mount namespace of its own, which needs no root where the system allows user namespaces.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.house.conftest import ROOT, Result, Server

KEY, PASSWORD = "rw_till", "correct horse battery"
PREPARE = f"""
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "regulars.settings"
import django; django.setup()
from django.core.management import call_command
from regulars.accounts import services
from regulars.accounts.actors import SYSTEM
call_command("migrate", verbosity=0)
services.add_write_key(name="Till", key="{KEY}", by=SYSTEM)
services.add_staff(email="a@example.com", name="A", role="admin", password="{PASSWORD}", by=SYSTEM)
"""
MEGABYTES = 48
IMPORTED = 6000


class SmallDisk(Server):
    """A server whose data folder is a disk of MEGABYTES. `home` is its path as seen from outside."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        super().__init__(folder / "home")
        self.folder, self.log_file = folder, folder.with_suffix(".log")
        script = f"mount -t tmpfs -o size={MEGABYTES}m,mode=700 tmpfs {folder} && echo mounted && exec sleep 3600"
        self.holder = subprocess.Popen(["unshare", "-rm", "sh", "-c", script], stdout=subprocess.PIPE)
        assert self.holder.stdout is not None
        if self.holder.stdout.readline() != b"mounted\n":
            pytest.skip("this system doesn't let an ordinary user mount a tmpfs of its own (unshare -rm)")
        self.home = Path(f"/proc/{self.holder.pid}/root{folder}/home")
        self.ballast = self.home.parent / "ballast"
        self.inside = ["nsenter", "-t", str(self.holder.pid), "-U", "-m", "--preserve-credentials", "--"]

    def launch(self) -> subprocess.Popen[bytes]:
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.inside, sys.executable, "-m", "regulars", "serve", "--port", str(self.port)],
                env=self.environment, cwd=ROOT, stdout=log, stderr=log,
            )  # fmt: skip
        return self.process

    def cli(self, *arguments: str, input: str | None = None, seconds: float = 120, **environment: str) -> Result:
        return subprocess.run(
            [*self.inside, sys.executable, "-m", "regulars", *arguments], env={**self.environment, **environment},
            cwd=ROOT, input=input, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip

    def fill(self, leave: int = 0) -> None:
        """Leave so many bytes of room."""
        self.free()
        with self.ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * (1 << 16))
            except OSError:
                pass
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                pass
            file.truncate(max(0, file.tell() - leave))

    def free(self) -> None:
        self.ballast.unlink(missing_ok=True)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.holder.kill()
        self.holder.wait(10)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallDisk]:
    if sys.platform != "linux":
        pytest.skip("needs mount namespaces")
    made = SmallDisk(tmp_path / "disk")
    yield made
    made.close()


class Shop:
    """Sends orders and knows which were acknowledged, and which were refused."""

    def __init__(self, server: Server, key: str) -> None:
        self.client, self.sent = httpx.Client(base_url=server.url, auth=(key, ""), timeout=30), 0
        self.acknowledged: list[int] = []
        self.refused: Counter[str] = Counter()

    def sell(self, requests: int, orders: int = 1) -> None:
        for _ in range(requests):
            numbers = range(self.sent, self.sent + orders)
            self.sent += orders
            batch = [
                {
                    "type": "track", "event": "Order Completed", "userId": f"u{n % 7}", "messageId": f"o{n}",
                    "properties": {"order_id": f"o{n}", "total": n % 50 + 1, "currency": "CNY", "more": "x" * 500},
                }
                for n in numbers
            ]  # fmt: skip
            answer = self.client.post("/v1/batch", json={"batch": batch})
            if answer.status_code == 200:
                self.acknowledged += numbers
            else:
                assert (answer.status_code, answer.headers.get("retry-after")) == (503, "2"), answer.text
                assert set(answer.json()["messages"]) == {"en", "zh-hans"}
                self.refused[answer.json()["code"]] += 1


def figures(server: Server) -> tuple[int, Decimal]:
    done = server.cli("figures", "--json")
    assert done.returncode == 0, done.stderr
    gross = json.loads(done.stdout)["gross"]
    return gross["orders"], Decimal(gross["revenue"])


def ask(server: SmallDisk, sql: str) -> list[Any]:
    """From within: SQLite follows /proc/…/root to a path outside."""
    code = (
        "import json, sqlite3, sys\n"
        "database = sqlite3.connect(f'file:{sys.argv[1]}/regulars.sqlite3?mode=ro', uri=True, timeout=30)\n"
        "print(json.dumps(database.execute(sys.argv[2]).fetchall()))"
    )
    command = [*server.inside, sys.executable, "-I", "-c", code, server.environment["REGULARS_HOME"], sql]
    found: list[Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def stored(server: SmallDisk) -> list[str]:
    return [id for (id,) in ask(server, "SELECT message_id FROM eventlog_event WHERE name = 'Order Completed'")]


@pytest.fixture
def shop(small: SmallDisk) -> Shop:
    command = [*small.inside, sys.executable, "-c", PREPARE]
    subprocess.run(command, env=small.environment, cwd=ROOT, check=True, timeout=120)
    small.start()
    made = Shop(small, KEY)
    made.sell(5)
    return made


WORDS = {"en": "The disk of the server is full", "zh": "服务器磁盘已满"}


def test_what_is_acknowledged_on_a_disk_that_fills_up_is_stored_once_and_all_goes_on_when_there_is_room(
    small: SmallDisk, shop: Shop, wait_for: Callable[..., None]
) -> None:
    for leave in (1_200_000, 60_000, 0):  # what fails first: the inbox, the log, the warehouse
        small.fill(leave)
        shop.sell(8, 50)
        told = small.cli("refresh", "--full", REGULARS_LANGUAGE="zh" if leave else "en")
        assert (told.returncode == 0 and leave) or WORDS["zh" if leave else "en"] in told.stderr, told.stderr
        small.free()
        wait_for(lambda: len(stored(small)) >= len(shop.acknowledged), 60, "the inbox to be taken in")
        assert sorted(stored(small)) == sorted(f"o{n}" for n in shop.acknowledged)
    assert figures(small) == (len(shop.acknowledged), sum(n % 50 + 1 for n in shop.acknowledged))
    assert shop.refused["disk"] >= 8
    assert "database or disk is full" in small.log, "the log's database was hit"
    assert small.log.count("The inbox couldn't write") < shop.refused["disk"]
    assert small.stop() == 0
    assert ask(small, "PRAGMA integrity_check") == [["ok"]]


def test_every_door_says_that_the_disk_is_full_and_works_again_when_it_isnt(
    small: SmallDisk, shop: Shop, tmp_path: Path
) -> None:
    secret = small.cli("key", "add-api", "program", "--scope", "customers.edit", "--scope", "customers.view")
    api = httpx.Client(base_url=small.url, headers={"Authorization": f"Bearer {secret.stdout.strip()}"}, timeout=60)
    console = httpx.Client(base_url=small.url, timeout=60)
    login = {"email": "a@example.com", "password": PASSWORD}

    def post(address: str, client: httpx.Client = console, language: str = "en", **more: Any) -> httpx.Response:
        data = {**more.pop("data", {}), "csrfmiddlewaretoken": client.cookies["csrftoken"]}
        return client.post(address, data=data, headers={"Accept-Language": language}, **more)

    console.get("/login")
    assert post("/login", data=login).status_code == 302
    outside = httpx.Client(base_url=small.url, timeout=60)
    outside.get("/login")
    customer = {"name": "Ann", "phone": "+8613800138000"}
    orders = b"order_id,user_id,date,total\n" + b"".join(
        b"f%d,b%d,2026-01-02,5\n" % (n, n % 9) for n in range(IMPORTED)
    )
    (tmp_path / "orders.csv").write_bytes(orders)

    small.fill()
    for language in ("en", "zh"):
        answers = [
            post("/customers/add", language=language, data=customer),
            post("/login", client=outside, language=language, data=login),  # the session can't be kept
            post("/imports/upload", language=language, data={"kind": "orders"}, files={"file": ("o.csv", orders)}),
            api.post("/api/v1/customers", json=customer, headers={"Accept-Language": language}),
        ]
        for answer in answers:
            assert answer.status_code == 503, answer.text
            assert WORDS[language] in answer.text
            assert "Traceback" not in answer.text
        assert answers[3].json()["code"] == "disk_full"
    for language, *command in (
        ("en", "key", "add", "another"),
        ("zh", "import", "orders", str(tmp_path / "orders.csv")),
        ("zh", "backup", str(small.folder / "copy.tar")),
    ):
        told = small.cli(*command, REGULARS_LANGUAGE=language)
        assert told.returncode == 2
        assert WORDS[language] in told.stderr and "Traceback" not in told.stderr, told.stderr
    assert console.get("/customers").status_code == 200, "what only reads goes on"
    small.fill(500_000)
    told = small.cli("import", "orders", str(tmp_path / "orders.csv"))
    assert told.returncode != 0 and "Traceback" not in told.stderr, told.stderr
    small.free()

    assert post("/customers/add", data=customer).status_code == 302
    assert post("/login", client=outside, data=login).status_code == 302
    done = small.cli("import", "orders", str(tmp_path / "orders.csv"))
    assert done.returncode == 0, done.stderr
    assert figures(small) == (5 + IMPORTED, 5 * IMPORTED + sum(range(1, 6)))
    made = small.cli("backup", str(small.folder / "copy.tar"))
    assert made.returncode == 0, made.stderr
    assert api.get("/api/v1/customers").status_code == 200
    assert ask(small, "SELECT count(*) FROM imports_import WHERE state = 'running'") == [[0]]
