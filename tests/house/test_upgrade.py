"""A data folder that an older version left behind, killed in the middle: this version takes it over and keeps everything.

folders/0.1.tar.xz was written by the commit 4b84375 (the first that had tracking, warehouse, console and backup), by
`serve` that was killed with kill -9: five customers who identified themselves, orders o0 … o39 of user n % 5 over n +
0.5 yuan in the log and in the warehouse, one event in quarantine, and in the inbox a request that was acknowledged and
not taken in yet, with o38 … o49. A folder of a later version comes beside it when its format changes.
"""

import json
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from tests.house.conftest import Server

FOLDERS = Path(__file__).parent / "folders"


def test_a_folder_of_version_0_1_keeps_its_customers_orders_figures_keys_logins_and_what_waited(
    tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    home = tmp_path / "home"
    with tarfile.open(FOLDERS / "0.1.tar.xz") as tar:
        tar.extractall(home, filter="data")
    server = Server(home)

    def rows(sql: str) -> list[Any]:
        with closing(sqlite3.connect(home / "regulars.sqlite3")) as database:
            return database.execute(sql).fetchall()

    def figures() -> tuple[int, Decimal, int]:
        done = server.cli("figures", "--json")
        assert done.returncode == 0, done.stderr
        gross = json.loads(done.stdout)["gross"]
        return gross["orders"], Decimal(gross["revenue"]), gross["customers"]

    assert figures() == (40, Decimal(sum(range(40)) + 20), 5), "before the server has started"
    server.start()
    try:
        new = {
            "type": "track", "event": "Order Completed", "userId": "u3", "messageId": "new",
            "properties": {"order_id": "new", "total": 7, "currency": "CNY"},
        }  # fmt: skip
        sent = httpx.post(f"{server.url}/v1/batch", json={"batch": [new]}, auth=("rw_old", ""), timeout=30)
        assert sent.status_code == 200
        wait_for(lambda: rows("SELECT 1 FROM eventlog_event WHERE message_id = 'new'"), 60, "the inbox to be taken in")
        assert figures() == (51, Decimal(sum(range(50)) + 25 + 7), 5)
        assert rows("SELECT count(*) FROM eventlog_quarantined") == [(1,)]
        with httpx.Client(base_url=server.url, timeout=60, follow_redirects=True) as console:
            console.get("/login")
            given = {"email": "old@example.com", "password": "correct horse battery"}
            given["csrfmiddlewaretoken"] = console.cookies["csrftoken"]
            assert console.post("/login", data=given).url.path != "/login"
            assert "客人 3" in console.get("/customers", params={"q": "客人 3"}).text
    finally:
        server.kill()
    assert "Traceback" not in server.log
