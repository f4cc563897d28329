"""Ctrl-K: everything that has a name is found by it, in either language, by those who may see it."""

import html
import re
from typing import Any

import pytest

from regulars.imports.models import Import
from regulars.jobs.services import start
from regulars.kernel.languages import Text


def _found(client: Any, wanted: str) -> dict[str, list[str]]:
    """Addresses by heading."""
    page = client.get("/search", {"q": wanted}).content.decode()
    parts = re.split(r'<div class="search-kind"[^>]*>([^<]*)</div>', page)
    hrefs = [[html.unescape(url) for url in re.findall(r'href="([^"]*)"', part)] for part in parts[2::2]]
    return dict(zip(parts[1::2], hrefs, strict=True))


FOUND = [
    ("Champions", "Lists of customers", "/customers?group=champions"),
    ("活跃", "Lists of customers", "/customers?stage=active"),
    ("西湖", "Lists of customers", "/customers?store=%E8%A5%BF%E6%B9%96%E5%BA%97"),
    ("Average order", "Figures", "/insights/sales?show=average"),
    ("客单价", "Figures", "/insights/sales?show=average"),
    ("nps", "Figures", "/insights/voice"),
    ("expected value", "Figures", "/customers?sort=-expected_value"),
    ("Order Completed", "Events", "/events?name=Order+Completed"),
    ("完成订单", "Events", "/events?name=Order+Completed"),
    ("审计", "Pages", "/audit"),
    ("settings", "Pages", "/settings"),
    ("设置", "Pages", "/staff"),
    ("export", "Pages", "/customers"),
    ("密码", "Pages", "/staff"),
]


def test_names_lead_to_what_they_name(judged: dict[str, int], as_role: Any) -> None:
    from regulars.catalog import CATALOG

    client = as_role("admin")
    title = CATALOG["Order Completed"].title.zh
    for wanted, heading, url in FOUND:
        found = _found(client, title if wanted == "完成订单" else wanted)
        assert url in found.get(heading, []), (wanted, found)
        assert client.get(url).status_code == 200, url
    for figure in ("revenue", "orders", "rfm", "stage", "cohort", "between purchases", "second", "warning"):
        [*urls] = _found(client, figure)["Figures"]
        assert {client.get(url).status_code for url in urls} == {200}, figure


def test_an_orders_number_leads_to_its_customer(judged: dict[str, int], as_role: Any) -> None:
    client = as_role("store")
    number = f"A{judged['rain']}-3"
    for typed in (number, f"#{number.lower()}"):
        assert _found(client, typed) == {"Orders": [f"/customers/{judged['rain']}"]}
    assert _found(client, f"{number}0") == {}


def test_tags_views_imports_and_jobs_are_found_by_those_who_may_see_them(
    judged: dict[str, int], as_role: Any, actors: dict[str, Any]
) -> None:
    from regulars.console.customers import saved
    from regulars.customers.services import tag

    tag(customer_ids=[judged["eve"]], name="Oolong friends", by=actors["agent"])
    saved.save(name="Oolong mine", query="stage=new", shared=False, by=actors["marketer"])
    saved.save(name="Oolong ours", query="risk=1", shared=True, by=actors["marketer"])
    file = Import.objects.create(
        kind="orders", name="oolong-2025.csv", size=1, digest="d", state="done", actor="staff:1"
    )
    job = start("nothing", by=actors["marketer"], arguments={}, title=Text("Count the oolong", "数乌龙茶"))
    tagged, mine, ours = "/customers?tag=Oolong+friends", "/customers?stage=new", "/customers?risk=1"
    work = {"Jobs": [f"/jobs/{job.pk}"]}
    taken = {"Imports": [f"/imports/{file.pk}"]}
    seen = {
        "marketer": {"Lists of customers": [mine, ours, tagged], **taken, **work},
        "manager": {"Lists of customers": [ours, tagged], **taken, **work},
        "store": {"Lists of customers": [ours, tagged]},
    }
    assert {role: _found(as_role(role), "OOLONG") for role in seen} == seen
    assert as_role("marketer").get(mine).status_code == 200
    assert "数乌龙茶" in as_role("marketer", "zh").get("/search", {"q": "乌龙茶"}).content.decode()


def test_staff_and_keys_are_found_by_who_manages_them(judged: dict[str, int], as_role: Any) -> None:
    from regulars.accounts.actors import SYSTEM
    from regulars.accounts.services import add_write_key

    add_write_key(name="Oolong till", key="rw_oolong", by=SYSTEM)
    assert _found(as_role("admin"), "oolong t") == {"Staff and keys": ["/keys"]}
    assert _found(as_role("admin"), "agent@") == {"Staff and keys": ["/staff"]}
    for role in ("marketer", "agent"):
        assert "Staff and keys" not in _found(as_role(role), "oolong t") | _found(as_role(role), "agent@")


def test_a_figure_is_found_by_what_pages_call_it(judged: dict[str, int], as_role: Any) -> None:
    for wanted in ("net revenue", "净销售额"):
        assert _found(as_role("manager"), wanted)["Figures"] == ["/insights/sales?show=net"]


@pytest.mark.parametrize("wanted", ["Average order", "Order Completed", "audit", "nps"])
def test_nothing_is_found_that_the_role_may_not_open(judged: dict[str, int], as_role: Any, wanted: str) -> None:
    assert _found(as_role("store"), wanted) == {}


@pytest.mark.usefixtures("home")
def test_a_page_that_isnt_open_to_the_role_is_told_where_nothing_else_is_found(people: Any, as_role: Any) -> None:
    said = as_role("agent").get("/search", {"q": "audit"}).content.decode()
    assert "“Audit trail” isn't open to your role (Service agent). Ask an admin." in html.unescape(said)
    assert 'href="' not in said
    assert "Ask an admin" not in as_role("admin").get("/search", {"q": "audit"}).content.decode()
