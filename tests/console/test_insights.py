"""The insight pages show what the warehouse knows, in both languages, and say what to do where there is nothing."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from regulars.warehouse import engine
from tests.console.world import build

PAGES = ("sales", "rfm", "lifecycle", "cohorts", "rhythm", "risk", "voice")


@pytest.fixture
def manager(home: Path, people: dict[str, Any]) -> Iterator[Client]:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(people["manager"])
    yield client
    engine.close()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_before_there_is_anything_a_page_says_what_to_do(manager: Client, page: str, language: str) -> None:
    answer = manager.get(f"/insights/{page}", headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert b"empty-state" in answer.content


def test_every_page_shows_the_world(manager: Client) -> None:
    build()
    said = {page: manager.get(f"/insights/{page}").content.decode() for page in PAGES}
    assert [page for page, text in said.items() if "empty-state" in text] == ["risk"]  # who was warned of is lost
    assert "静安店" in said["sales"]
    lost = manager.get("/insights/risk?lost=1").content.decode()
    assert "张伟" in lost and "王芳" not in lost and "张伟" not in said["risk"]
    for text in (*said.values(), manager.get("/insights/sales?period=all&by=product").content.decode()):
        assert "None" not in text


def test_the_reasons_at_risk_can_be_chosen(manager: Client) -> None:
    build()
    assert "张伟" in manager.get("/insights/risk?reason=silent&lost=1").content.decode()
    assert manager.get("/insights/risk?reason=nonsense").status_code == 200


def test_sales_are_shown_by_every_figure_in_every_division(manager: Client) -> None:
    build()
    by_store = manager.get("/insights/sales?period=28").content.decode()
    table = re.sub(r"<[^>]+>|\s+", " ", by_store[by_store.index("of them new") :])
    assert " Bund ¥340 ¥0 ¥340 2 ¥170.00 2 0 " in " ".join(table.split())
    assert " 静安店 ¥160 ¥0 ¥160 2 ¥80.00 2 0 " in " ".join(table.split())
    for show in ("net", "orders", "buyers", "average"):
        for by in ("store", "channel", "category", "product"):
            answer = manager.get(f"/insights/sales?period=90&show={show}&by={by}")
            assert answer.status_code == 200 and "None" not in answer.content.decode()
    assert "of them new" not in manager.get("/insights/sales?period=all").content.decode()


def test_an_agent_sees_no_insights(manager: Client, people: dict[str, Any]) -> None:
    manager.force_login(people["agent"])
    assert {manager.get(f"/insights/{page}").status_code for page in PAGES} == {403}


def test_the_timeline_sums_products_where_an_order_says_no_total() -> None:
    from regulars.console.customers.timeline import _amount

    products = [{"price": "12.50", "quantity": 2}, {"price": 1}, {"name": "a gift"}]
    assert _amount({"products": products, "currency": "CNY"}, {}) == "¥26.00"
    assert _amount({"products": [{"name": "tea"}], "currency": "CNY"}, {}) == ""
    assert _amount({"products": [None], "total": "x", "currency": "CNY"}, {}) == ""
