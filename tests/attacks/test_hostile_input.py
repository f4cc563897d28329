"""What people and programs send in: nothing of it runs, leads elsewhere, breaks a page or reaches a file of ours."""

import csv
import re
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
from django.test import Client

from regulars.accounts import services as accounts
from regulars.catalog import Fault
from regulars.customers import services as customers
from regulars.customers.services import Claim
from regulars.eventlog import quarantine
from regulars.eventlog.rows import NewEvent
from regulars.eventlog.services import append
from regulars.jobs.progress import Progress
from regulars.kernel import clock
from regulars.kernel.languages import Text
from regulars.warehouse import feed, refresh
from regulars.warehouse.queries.customers import Filters
from regulars.wiring import exports
from tests.attacks.conftest import doors

ComeIn = Callable[..., Client]
EVIL = "\"><img src=x onerror=evil()>{{ 111111|add:222222 }}{% now 'Y' %}</script><script>evil()</script>"
CONSOLE = Path(__file__).parents[2] / "src" / "regulars" / "console"


@pytest.fixture
def hostile(home: Path, people: dict[str, Any], actors: dict[str, Any]) -> int:
    """A business where every name is an attack; the id of a customer."""
    admin, now = actors["admin"], clock.now()
    accounts.change_settings(name=EVIL[:90], by=admin)
    accounts.add_write_key(name=EVIL[:90], by=admin)
    accounts.add_api_key(name=EVIL[:90], scopes=["customers.view"], by=admin)
    traits = {"name": EVIL[:90], "city": EVIL[:50], "home_store": EVIL[:50]}
    claims = [Claim(identities=(("user_id", f"{EVIL[:60]}{n}"),), traits=traits, at=now) for n in range(2)]
    first, second = customers.resolve(claims)
    properties = {
        "order_id": EVIL, "total": 50, "currency": "CNY", "store": EVIL, "channel": EVIL, EVIL: EVIL,
        "products": [{"product_id": EVIL, "name": EVIL, "category": EVIL, "price": 50, "quantity": 1}],
    }  # fmt: skip
    events = [
        NewEvent(
            f"{who}-{n}{EVIL}"[:99], name, who, now - timedelta(days=n), now, properties, {"page": EVIL}, "track:1"
        )
        for who in (first, second)
        for n, name in enumerate(["Order Completed", "Order Completed", EVIL, "Complaint Filed", "Survey Answered"])
    ]
    append(events)
    customers.tag(customer_ids=[first], name=EVIL[:30], by=admin)
    customers.add_note(customer_id=first, text=EVIL, by=admin)
    fault = Fault("unprocessable", EVIL[:90], Text(EVIL, EVIL))
    quarantine.put([quarantine.BadEvent({"event": EVIL, "x": EVIL}, fault, "track:1", now)])
    feed.catch_up()
    refresh.full()
    return first


def test_names_that_are_markup_or_templates_show_as_they_are(hostile: int, come_in: ComeIn) -> None:
    client, shown = come_in("admin"), 0
    for language in ("en", "zh"):
        for door in doors():
            answer = client.get(door.at(number=hostile, text="m0"), headers={"Accept-Language": language})
            assert answer.status_code < 500, door
            if answer.status_code != 200 or "text/html" not in answer["Content-Type"]:
                continue
            page = answer.content.decode()
            assert "<img src=x" not in page, door
            assert "<script>evil" not in page, door
            assert "333333" not in page, door
            shown += "&lt;img src=x" in page
    assert shown > 20  # it did get to the pages


def test_hostile_names_of_customers_and_events_show_to_htmx_and_search_too(hostile: int, come_in: ComeIn) -> None:
    client = come_in("admin", headers={"HX-Request": "true"})
    for address in (f"/search?q={EVIL[:20]}", f"/customers?q={EVIL[:20]}", "/events?since=0", "/jobs",
                    f"/customers/{hostile}/timeline", f"/customers/{hostile}/orders",
                    "/events/quarantine?code=unprocessable"):  # fmt: skip
        page = client.get(address).content.decode()
        assert "<img src=x" not in page and "<script>evil" not in page, address


NASTY = [
    "",
    "\0",
    "9" * 30,
    "-1",
    "NaN",
    "\ud800",
    "²",
    "9999-12-31",
    "[]",
    "//evil.example",
    "\r\nSet-Cookie: a=b",
    EVIL,
]


def parameters() -> list[str]:
    """What the console's views read from addresses and forms, found in their code."""
    code = "".join(path.read_text() for path in CONSOLE.rglob("*.py"))
    found = re.findall(r"""(?:GET|POST|given|data|query|asked|params)(?:\.get(?:list)?\(|\[)"([\w-]+)\"""", code)
    return sorted({*found, "after", "before", "q", "tag", "day", "start", "end", "period", "store", "stage"})


def test_no_address_breaks_a_page(hostile: int, come_in: ComeIn) -> None:
    client, names = come_in("admin"), parameters()
    assert len(names) > 30
    broken = []
    for door in doors():
        for nasty in NASTY:
            asked = urlencode(dict.fromkeys(names, nasty.encode("utf-8", "surrogatepass")))
            answer = client.get(f"{door.at(number=hostile)}?{asked}")
            if answer.status_code >= 500:
                broken.append((str(door), nasty[:20]))
            assert "Set-Cookie: a=b" not in str(answer.headers)
    assert broken == []


def test_no_number_in_an_address_is_too_large(hostile: int, come_in: ComeIn) -> None:
    client = come_in("admin")
    for number in (0, 2**31, 2**63, 10**30, "9" * 5000):
        for door in doors():
            if door.numbers:
                for answer in (client.get(door.at(number=number)), client.post(door.at(number=number))):
                    assert answer.status_code < 500, (str(door), number)


def test_no_form_breaks_a_page(hostile: int, come_in: ComeIn) -> None:
    client, names = come_in("admin"), parameters()
    broken = []
    for door in doors():
        for nasty in NASTY:
            if str(door) == "/logout":
                continue
            form = urlencode(dict.fromkeys(names, nasty.encode("utf-8", "surrogatepass")))
            answer = client.post(door.at(number=hostile), form, "application/x-www-form-urlencoded")
            if answer.status_code >= 500:
                broken.append((str(door), nasty[:20]))
            elif answer.status_code == 302:
                there = urljoin("http://testserver/here", answer["Location"].replace("\\", "/"))
                assert urlsplit(there).netloc == "testserver", (str(door), answer["Location"])
    assert broken == []


@pytest.mark.parametrize(
    "path", ["../secret.key", "..%2f..%2fsecret.key", "..\\..\\secret.key", "/etc/passwd", "%00", "....//secret.key"]
)
def test_no_address_leads_to_a_file_of_ours(path: str, home: Path, come_in: ComeIn) -> None:
    (home / "secret.key").write_text("the secret")
    (home / "exports").mkdir()
    client = come_in("admin")
    for address in (f"/customers/exports/{path}", f"/static/{path}", f"/jobs/{path}", f"/events/{path}",
                    f"/imports/{path}/rejects"):  # fmt: skip
        answer = client.get(address)
        assert answer.status_code in (301, 302, 400, 404), address
        assert b"the secret" not in answer.content


def test_an_uploaded_file_lies_under_its_number_whatever_its_name(home: Path, come_in: ComeIn) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    client = come_in("admin")
    for name in ("../../../evil.csv", "..\\evil.csv", "/tmp/evil.csv", "a\r\nX: y.csv", ".", EVIL):
        file = SimpleUploadedFile("x.csv", b"order_id,date,total\n1,2026-01-01,5\n")
        file._name = name  # type: ignore[attr-defined]
        assert client.post("/imports/upload", {"kind": "orders", "file": file}).status_code in (302, 422)
    stored = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    assert stored
    assert all(re.fullmatch(r"files/imports/\d+/source", path) for path in stored), stored


def test_no_cell_of_an_export_is_a_formula(home: Path, actors: dict[str, Any]) -> None:
    now, starts = clock.now(), "=+-@\t\r"
    formulas = [f"{start}cmd|' /C calc'!A0" for start in starts]
    claims = [Claim(identities=(("user_id", one),), traits={"name": one, "city": one}, at=now) for one in formulas]
    records = customers.resolve(claims)
    append(
        [
            NewEvent(f"m{record}", "Order Completed", record, now, now, {"order_id": f"{record}", "total": 5}, {}, "x")
            for record in records
        ]
    )
    feed.catch_up()
    refresh.full()
    for record, formula in zip(records, formulas, strict=True):
        customers.tag(customer_ids=[record], name=formula.strip(), by=actors["admin"])
    wanted = {"filters": asdict(Filters()), "tag": "", "sort": "net", "descending": True, "language": "en"}
    exports.export_customers(Progress("7", {}, threading.Event()), **wanted)
    with (home / "exports" / "7.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert sum("calc" in cell for cell in cells) > 2 * len(starts)
    for cell in cells:
        assert cell[:1] not in tuple(starts) or re.fullmatch(r"-?[\d.]+", cell), cell


def test_somebody_elses_host_name_is_refused(people: dict[str, Any]) -> None:
    client = Client(raise_request_exception=False)
    for host in ("evil.example", "testserver:80@evil.example", "testserver.evil.example", "a\\b"):
        answer = client.get("/login", headers={"Host": host})
        assert answer.status_code == 400
        assert b"evil" not in answer.content
    forwarded = client.get("/login", headers={"X-Forwarded-Host": "evil.example"})
    assert forwarded.status_code == 200 and b"evil" not in forwarded.content
