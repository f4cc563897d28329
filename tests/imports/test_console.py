"""Importing in the browser: upload, look, change, run, and what came of it."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from regulars.imports import queries
from regulars.jobs import running
from regulars.jobs.models import Job
from regulars.wiring.jobs import KINDS
from tests.imports.worlds import log

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("home")]

FILE = """order,date,quantity,price,customer id,status
1,3/4/2024,1,39.9,c1,paid
2,4/4/2024,2,88,c2,paid
3,5/4/2024,1,dear,c2,paid
4,6/4/2024,1,5,c3,odd <b>one</b>
"""


@pytest.fixture
def client(people: dict[str, Any]) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(people["marketer"])
    return client


def work() -> None:
    """Run what waits, as the server's loop does (but in the transaction of the test)."""
    running.kinds(KINDS)
    for job in Job.objects.filter(state="waiting").order_by("id"):
        running.run(job.pk)


def sent(client: Client, text: str = FILE, kind: str = "orders") -> str:
    answer = client.post("/imports/upload", {"kind": kind, "file": SimpleUploadedFile("may.csv", text.encode())})
    assert answer.status_code == 302
    return str(answer["Location"])


def fields(page: str) -> dict[str, Any]:
    """What the form of a mapping would send."""
    import re

    given: dict[str, Any] = {}
    for name, body in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', page, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        given.setdefault(name, []).append(chosen[1] if chosen else "")
    for name, value in re.findall(r'<input class="form-control" id="[^"]+" name="([^"]+)" value="([^"]*)"', page):
        given[name] = value
    given["status"] = [
        v.replace("&lt;", "<").replace("&gt;", ">") for v in re.findall(r'name="status" value="([^"]*)"', page)
    ]
    return given


def test_a_file_is_uploaded_looked_at_changed_and_taken_in(client: Client) -> None:
    page = sent(client)
    assert "Being read" in client.get(page).content.decode()
    work()
    shown = client.get(page).content.decode()
    assert "Dates like 3/4/2024 can be read in more than one way" in shown
    assert "The price isn&#x27;t a number." in shown
    assert "odd &lt;b&gt;one&lt;/b&gt;" in shown
    given = fields(shown)
    assert (given["c0"], given["c1"], given["c4"]) == (["order_id"], ["at"], ["user_id"])
    given |= {"dates": "mdy", "meaning": ["paid", "unpaid"], "status": ["paid", "odd <b>one</b>"]}
    changed = client.post(page + "/mapping", given, headers={"HX-Request": "true"}).content.decode()
    assert "4 Mar 2024" in changed
    assert changed.lstrip().startswith('<div id="mapping">')
    answer = client.post(page + "/start", given)
    assert answer["Location"] == page
    work()
    done = client.get(page).content.decode()
    assert "new orders" in done
    assert "The price isn&#x27;t a number." in done
    assert [e["at"] for e in log()] == ["2024-03-03 16:00:00", "2024-04-03 16:00:00"]
    file = b"".join(client.get(page + "/rejects").streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert file.splitlines()[1].startswith("3,5/4/2024,1,dear,c2,paid,4,The price isn't a number.")
    listed = client.get("/imports").content.decode()
    assert "may.csv" in listed


def test_a_target_chosen_for_a_second_column_leaves_the_first_and_what_is_missing_stands_at_its_field(
    client: Client,
) -> None:
    page = sent(client)
    work()
    given = fields(client.get(page).content.decode()) | {"c2": "price"}
    shown = client.post(page + "/mapping", given, headers={"HX-Request": "true"}).content.decode()
    row = queries.imports()[0]
    assert (row.mapping["columns"]["price"], "quantity" in row.mapping["columns"]) == ("quantity", False)
    given = fields(shown) | {"c1": ""}
    shown = client.post(page + "/start", given).content.decode()
    assert "Say which column is the date." in shown
    assert queries.imports()[0].state == "mapped"


def test_a_mapping_is_saved_used_for_the_next_file_and_deleted_with_a_way_back(client: Client) -> None:
    page = sent(client)
    work()
    given = fields(client.get(page).content.decode()) | {"store": "East", "name": "till"}
    assert client.post(page + "/save", given)["Location"] == page
    other = sent(client, FILE.replace("c1", "c9"))
    work()
    assert "till" in client.get(other).content.decode()
    client.post(other + "/mapping", {"use": "till"})
    assert queries.imports()[0].mapping["store"] == "East"
    assert "till" in client.get("/imports/mappings").content.decode()
    (saved,) = queries.saved_mappings()
    client.post(f"/imports/mappings/{saved.pk}/delete")
    assert queries.saved_mappings() == []
    import json

    client.post("/imports/mappings/restore", {"name": "till", "mapping": json.dumps(saved.mapping)})
    assert queries.saved_mapping("till", "orders").store == "East"


def test_a_file_that_cant_be_read_says_why_in_the_language_of_the_person(client: Client) -> None:
    page = sent(client, "a,b\n")
    work()
    assert "The file has no rows that can be read." in client.get(page).content.decode()
    chinese = client.get(page, headers={"Accept-Language": "zh-CN"}).content.decode()
    assert "文件中没有可读取的数据行。" in chinese
    assert "失败" in chinese
    answer = client.post("/imports/upload", {"kind": "orders"})
    assert answer.status_code == 422
    assert "Choose a file." in answer.content.decode()


def test_an_import_is_cancelled_and_polling_leads_to_the_next_page(client: Client) -> None:
    page = sent(client)
    assert client.get(page, headers={"HX-Request": "true"}).status_code == 200
    work()
    assert client.get(page, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    client.post(page + "/cancel")
    assert queries.imports()[0].state == "cancelled"
    assert client.post(page + "/start").status_code == 409


def test_who_may_not_import_sees_none_of_it(people: dict[str, Any], tmp_path: Path) -> None:
    client = Client()
    client.force_login(people["agent"])
    for address in ("/imports", "/imports/1", "/imports/1/rejects", "/imports/1/forecast", "/imports/mappings"):
        assert client.get(address).status_code == 403
    for address in (
        "/imports/upload",
        "/imports/1/start",
        "/imports/1/mapping",
        "/imports/1/save",
        "/imports/1/cancel",
    ):
        assert client.post(address).status_code == 403


def test_another_currency_is_refused_once_with_the_way_to_the_setting(client: Client, people: dict[str, Any]) -> None:
    text = "order,date,quantity,price,customer id,currency\n1,2024-04-03,1,39.9,c1,GBP\n2,2024-04-04,2,88,c2,GBP\n"
    client.force_login(people["admin"])
    address = sent(client, text)
    work()
    page = client.get(address).content.decode()
    started = client.post(f"{address}/start", fields(page)).content.decode()
    for said in (page, started):
        assert said.count("Rows in other currencies than CNY") == 1
        assert 'class="alert-link" href="/settings#currency"' in said
    client.force_login(people["marketer"])
    assert "alert-link" not in client.get(address).content.decode()


def test_what_will_be_rejected_is_told_before_with_those_rows(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    page = sent(client, FILE.replace("odd <b>one</b>", "paid"))
    work()
    shown = client.get(page).content.decode()
    assert "<strong>3 of 4 rows will be taken in.</strong> 1 is rejected:" in shown
    assert "Import 3 of 4 rows" in shown
    assert "<td>dear</td>" in shown
    chinese = client.get(page, headers={"Accept-Language": "zh-CN"}).content.decode()
    assert "共 4 行，将导入 3 行。" in chinese and "导入 3 行（共 4 行）" in chinese
    monkeypatch.setattr(queries, "LOOKED_THROUGH_AT_ONCE", 3)  # a big file's comes after its page
    shown = client.get(page).content.decode()
    assert f'hx-get="{page}/forecast" hx-trigger="load"' in shown
    assert "Import 4 rows" in shown
    late = client.get(page + "/forecast").content.decode()
    assert '<span id="import-label" hx-swap-oob="true">Import 3 of 4 rows' in late
    client.post(page + "/start", fields(shown) | {"status": ["paid"], "meaning": ["paid"]})
    assert client.get(page + "/forecast").status_code == 204


def test_a_phone_that_cant_be_read_is_marked_in_its_cell_with_the_reason(client: Client) -> None:
    page = sent(client, "order,date,price,phone\n1,2024-04-03,5,12\n2,2024-04-03,5,13800000001\n")
    work()
    shown = client.get(page).content.decode()
    assert '<td class="import-unread"><s>12</s><div>This phone number has too few digits.</div></td>' in shown
    assert "All 2 rows will be taken in." in shown
    assert "1 of these goes in without a part of it:" in shown
    client.post(page + "/start", fields(shown))
    work()
    done = client.get(page).content.decode()
    assert "rows taken in without a part of them" in done
    assert "1 value under “Phone” couldn&#x27;t be read as a number of China: “12”." in done
    assert f'href="{page}/rejects"' in done
