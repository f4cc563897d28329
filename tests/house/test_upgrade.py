"""A data folder that an older version left behind, killed in the middle: this version takes it over and keeps everything.

folders/0.1.tar.xz was written by the commit 4b84375 (the first that had tracking, warehouse, console and backup), by
`serve` that was killed with kill -9: five customers who identified themselves, orders o0 … o39 of user n % 5 over n +
0.5 yuan in the log and in the warehouse, one event in quarantine, and in the inbox a request that was acknowledged and
not taken in yet, with o38 … o49.

folders/0.1-people.tar.xz was written by the commit 6a323fc: customers c0 … c7 and orders 1 … 64 of c{n % 8} over
n % 9 + 1.5 yuan from files; c1 merged into c2; c3 into c4, undone; c1, c5, c6 agreed to SMS, c6 took it back; c5 and c6
have a tag, c5 a note; c7 is erased. A folder of a later version comes beside them when its format changes.
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
from tests.house.test_serve import script

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


PEOPLE = """
from regulars.accounts.actors import SYSTEM
from regulars.customers import queries, services
from regulars.customers.models import Customer, Merge
from regulars.wiring import receiving

def order(id, user):
    assert receiving.accept([{"type": "track", "event": "Order Completed", "userId": user, "messageId": id,
                              "timestamp": "2026-03-01T00:00:00Z", "properties": {"order_id": id, "total": 1}}],
                            source="api:1") == [None]

roots = lambda: dict(Customer.objects.order_by("id").values_list("id", "root_id"))
assert roots() == {1: 1, 2: 3, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8}, roots()
assert [queries.tags_of([id]).get(id, []) for id in (5, 6, 7)] == [[], ["老客"], ["老客"]]
assert [note.text for note in queries.notes(6)] == ["喜欢龙井"]
given = {id: [one.given for one in entries] for id, entries in queries.consents_of([2, 3, 6, 7]).items()}
assert given == {3: [True], 6: [True], 7: [True, False]}, given
assert queries.identities(8) == [] and queries.by_ids([8])[8].name == ""
order("new", "c1")
assert Customer.objects.count() == 8
services.unmerge(merge_id=Merge.objects.get(source_id=2).id, by=SYSTEM)
assert roots() == {id: id for id in range(1, 9)}
"""


def test_a_folder_of_merged_consenting_and_erased_people_keeps_them_and_its_files_come_in_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with tarfile.open(FOLDERS / "0.1-people.tar.xz") as tar:
        tar.extractall(home, filter="data")
    server = Server(home)

    def gross() -> dict[str, Any]:
        done = server.cli("figures", "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)["gross"]
        return found

    assert gross() == {"lines": 64, "orders": 64, "customers": 7, "revenue": "349.00"}
    rows = "".join(f"{n},2026-03-{n % 28 + 1} 10:00,1,{n % 9 + 1}.50,c{n % 8},tea\n" for n in range(1, 65))
    file = tmp_path / "orders.csv"
    file.write_text("order,date,quantity,price,customer number,product\n" + rows)
    again = server.cli("import", "orders", str(file), "--json")
    assert again.returncode == 0, again.stderr
    counts = json.loads(again.stdout)
    assert (counts.get("sales_same"), counts.get("sales_new")) == (64, None), counts
    script(server, PEOPLE)
    assert gross() == {"lines": 65, "orders": 65, "customers": 8, "revenue": "350.00"}
