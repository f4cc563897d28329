"""The insight pages show what the warehouse knows, in both languages, and say what to do where there is nothing."""

import html
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
    assert " Bund ¥340.00 ¥0.00 ¥0.00 ¥340.00 2 ¥170.00 2 0 " in " ".join(table.split())
    assert " 静安店 ¥160.00 ¥0.00 ¥0.00 ¥160.00 2 ¥80.00 2 0 " in " ".join(table.split())
    assert by_store.count("Gross + discounts and fees − refunds = net.") == 2  # with both headers
    for show in ("net", "orders", "buyers", "average"):
        for by in ("store", "channel", "category", "product"):
            answer = manager.get(f"/insights/sales?period=90&show={show}&by={by}")
            assert answer.status_code == 200 and "None" not in answer.content.decode()
    assert "of them new" not in manager.get("/insights/sales?period=all").content.decode()


def test_the_whole_history_has_its_totals_as_a_period_does(manager: Client) -> None:
    build()
    tiles = manager.get("/insights/sales?period=all").content.decode()
    tiles = tiles[tiles.index("figures-row") : tiles.index("<section>")]
    said = " ".join(re.sub(r"<[^>]+>|\s+", " ", tiles).split())
    found = re.findall(r"(Net revenue|Orders|Average order|Buyers|New buyers)\b.*? (¥?[\d,.]+)(?= |$)", said)
    assert found == [("Net revenue", "¥11,560"), ("Orders", "49"), ("Average order", "¥235.92"), ("Buyers", "4")]


def test_the_timeline_names_a_product_of_two_lines_once() -> None:
    from regulars.console.customers.timeline import _text
    from regulars.kernel.languages import Text

    products = [{"name": "清风礼盒"}, {"name": "清风礼盒", "quantity": 3}, {"name": "Oolong"}]
    assert _text("Order Completed", {"products": products}) == str(Text("清风礼盒, Oolong", "清风礼盒、Oolong"))


def test_an_agent_sees_no_insights(manager: Client, people: dict[str, Any]) -> None:
    manager.force_login(people["agent"])
    assert {manager.get(f"/insights/{page}").status_code for page in PAGES} == {403}


def test_the_timeline_sums_products_where_an_order_says_no_total() -> None:
    from regulars.console.customers.timeline import _amount

    products = [{"price": "12.50", "quantity": 2}, {"price": 1}, {"name": "a gift"}]
    assert _amount({"products": products, "currency": "CNY"}, {}) == "¥26.00"
    assert _amount({"products": [{"name": "tea"}], "currency": "CNY"}, {}) == ""
    assert _amount({"products": [None], "total": "x", "currency": "CNY"}, {}) == ""


def test_who_is_late_by_their_own_rhythm_is_at_risk_with_the_reason_and_leads_to_their_page(manager: Client) -> None:
    from datetime import timedelta

    from regulars.eventlog.rows import NewEvent
    from regulars.eventlog.services import append
    from regulars.kernel import clock
    from regulars.warehouse import refresh

    people = build()
    at = clock.now() - timedelta(days=40)
    # 路过 came every five days, and not for the last forty: warned of, and not lost within ninety
    for n in range(6):
        order = {"order_id": f"L{n}", "total": 70, "currency": "CNY"}
        append(
            [NewEvent(f"late{n}", "Order Completed", people[4], at - timedelta(days=5 * n), at, order, {}, "track:1")]
        )
    refresh.bring_up()
    said = manager.get("/insights/risk").content.decode()
    assert "empty-state" not in said and "路过" in said and "张伟" not in said
    assert "40 days, usually 7" in said and f'href="/customers/{people[4]}"' in said
    assert "路过" in manager.get("/insights/risk?reason=overdue").content.decode()
    assert "路过" not in manager.get("/insights/risk?reason=silent").content.decode()
    assert "已 40 天，平常 7 天" in manager.get("/insights/risk", headers={"Accept-Language": "zh"}).content.decode()
    # 张伟 was warned of too and is lost: everywhere "about to leave" is the same one, and the mark on nobody else
    shown = manager.get("/customers")
    assert b'<a href="?risk=1">About to leave</a>' in shown.content
    marked = {row["card"].name for row in shown.context["rows"] if row["scores"].leaving}
    warned = {row["card"].name for row in shown.context["rows"] if row["scores"].warned}
    assert (marked, warned) == ({"路过"}, {"路过", "张伟"})
    assert shown.content.decode().count('class="mark mark-warning" title') == 1
    listed = manager.get("/customers?risk=1").context["rows"]
    overview = manager.get("/overview").context["leaving"]
    risk = manager.get("/insights/risk").context
    assert [row["card"].id for row in listed] == [row.customer_id for row, _ in overview] == [people[4]]
    assert [row.customer_id for row, _ in risk["rows"]] == [people[4]] and risk["totals"].customers == 1
    assert risk["everybody"] == "/customers?risk=1"
    already = manager.get("/insights/risk?lost=1").context
    gone = manager.get(already["everybody"])
    assert [row["card"].id for row in gone.context["rows"]] == [row.customer_id for row, _ in already["rows"]]
    assert "Warned of, and lost already" in gone.content.decode() and "mark-warning" not in gone.content.decode()
    assert "About to leave" in manager.get(f"/customers/{people[4]}").content.decode()
    assert "About to leave" not in manager.get(f"/customers/{people[3]}").content.decode()


def test_a_large_business_has_every_answer_about_much_history_in_advance(
    manager: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    from regulars.warehouse import refresh
    from regulars.warehouse.refresh import standing

    build()
    monkeypatch.setattr(standing, "LARGE", 1)
    refresh.full()
    asked = sys.modules["regulars.warehouse.queries.snapshot"]._answers
    asked.clear()
    pages = [f"/insights/{page}" for page in PAGES] + [f"/overview?period={days}" for days in (7, 28, 90)]
    pages += [
        f"/insights/sales?period={period}&by={by}"
        for period in ("28", "90", "365", "all")
        for by in ("store", "channel", "category", "product")
    ]
    for page in (*pages, "/customers"):
        assert manager.get(page).status_code == 200
    assert {question[1] for question in asked} <= {"today", "answer"}


def _people(client: Client, address: str) -> int:
    """How many customers a list shows."""
    answer = client.get(html.unescape(address))
    assert answer.status_code == 200
    return answer.content.decode().count("<tr data-href=")


def test_the_last_nodes_of_the_flow_lead_to_the_people_in_the_stage_today(manager: Client) -> None:
    build()
    flow = manager.get("/insights/lifecycle").context["flow"]
    series = flow.option["series"][0]
    counts = dict.fromkeys((node["name"] for node in series["data"] if "url" in node), 0.0)
    for link in series["links"]:
        counts[link["target"]] = counts.get(link["target"], 0) + link["value"]
    urls = {node["name"]: node["url"] for node in series["data"] if "url" in node}
    assert urls and {name: _people(manager, url) for name, url in urls.items()} == {name: counts[name] for name in urls}
    assert {to.url for _, to, _ in flow.rows if hasattr(to, "url")} == {urls[name] for name in urls if counts[name]}


def test_what_to_do_next_leads_to_as_many_people_as_it_says(manager: Client, judged: dict[str, int]) -> None:
    page = manager.get("/overview?period=28").content.decode()
    steps = re.findall(
        r'<a href="(/customers\?[^"]+)">(.*?)</a>', page.split('class="todo"')[1].split("</ol>")[0], re.S
    )
    told = [(url, int(re.search(r"\d+", re.sub(r"<[^>]+>", "", text))[0])) for url, text in steps]  # type: ignore[index]
    assert told and [(url, _people(manager, url)) for url, _ in told] == told


LABEL = re.compile(r'<(div class="figure-label"|dt)>(.*?)</(?:div|dt)>', re.DOTALL)
NAMED = re.compile(r'data-bs-title="([^"]*)" data-bs-content="([^"]+)"')


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_figure_is_defined_a_hover_away_and_under_the_name_it_has_on_the_page(
    manager: Client, judged: dict[str, int], language: str
) -> None:
    def seen(page: str) -> str:
        return manager.get(page, headers={"Accept-Language": language}).content.decode()

    for page in ("overview", "insights/sales", "insights/sales?period=all", "insights/risk?lost=1", "insights/rhythm"):
        labels = LABEL.findall(seen(f"/{page}"))
        assert labels, page
        for _, label in labels:
            about = NAMED.search(label)
            assert about and about[1] == label.partition("<")[0].strip(), (page, label)
    figures = seen(f"/customers/{judged['ming']}").split('class="facts figures"')[1].split("</dl>")[0]
    assert [label for _, label in LABEL.findall(figures) if not NAMED.search(label)] == []
    heads = seen("/insights/rfm").split("rfm-groups")[1].split("</thead>")[0].split("<th ")[4:]
    assert len(heads) == 3 and all(NAMED.search(head) for head in heads)
    steps = seen("/overview").split('class="todo"')[1].split("</ol>")[0].split("<li>")[1:]
    called = [about for step in steps if "/customers?" in step for about in [NAMED.search(step)]]
    assert called and all(called)


@pytest.mark.parametrize(("period", "number"), [("7", "0"), ("28", "1"), ("90", "1")])
def test_new_buyers_of_the_overview_are_those_that_its_links_list(
    judged: dict[str, int], as_role: Any, period: str, number: str
) -> None:
    """Only =Eve began lately: 20 days ago."""
    client = as_role("marketer")
    page = client.get(f"/overview?period={period}").content.decode()
    links = set(re.findall(r'href="(/customers\?first=[^"]*)"', page))
    told = re.findall(r'<a class="text-reset" href="/customers\?first=[^"]*">(\w+)</a>', page)
    assert len(links) == 1 and told == [number]
    listed = client.get(links.pop().replace("&amp;", "&")).content.decode()
    assert ("=Eve</a>" in listed) is ("=Eve</a>" in page) is (number == "1")
    assert "李明</a>" not in listed and "王小雨</a>" not in listed
