"""Every number of people on an insight page leads to a list of exactly these; who can't be shown is told beside it."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client

from regulars.console.customers import filters
from regulars.customers import services
from regulars.customers.services import Claim
from regulars.eventlog import dispatch
from regulars.eventlog.rows import NewEvent
from regulars.eventlog.services import append
from regulars.kernel import clock
from regulars.warehouse import engine, feed, queries, refresh
from tests.console.world import build


@pytest.fixture
def manager(home: Path, people: dict[str, Any]) -> Iterator[Client]:
    """Of the small world, and in it: orders that say no store, channel or category and one of two categories; scores of
    a visitor without a name and of nobody; somebody erased who bought and answered; one lost this month."""
    records = build()
    now = clock.now().astimezone(UTC)
    [visitor] = services.resolve([Claim(identities=(("anonymous_id", "v1"),), traits={}, at=now)])
    claims = [Claim(identities=(("phone", f"1390013900{n}"),), traits={"name": f"N{n}"}, at=now) for n in range(3)]
    gone, lost, other = services.resolve(claims)
    events: list[NewEvent] = []

    def happened(who: int | None, name: str, days_ago: int, **properties: Any) -> None:
        at = now - timedelta(days=days_ago)
        events.append(NewEvent(f"p{len(events)}", name, who, at, at, properties, {}, "service"))

    def bought(who: int | None, days_ago: int, *categories: str, **more: Any) -> None:
        lines = [{"product_id": c, "name": c, "category": c or None, "price": 30, "quantity": 1} for c in categories]
        happened(
            who, "Order Completed", days_ago, order_id=f"P{len(events)}", currency="CNY", products=lines, **more
        )  # fmt: skip

    bought(gone, 70, "茶", store="静安店")
    bought(gone, 6, "茶", "杯", store="静安店")
    bought(other, 5, "")
    bought(other, 2, "杯", store="Bund")
    bought(records[4], 40, "杯")
    bought(None, 4, "杯")
    # Lost when twelve times seven days have passed, or ninety: yesterday was day ninety.
    end = queries_end(now)
    for n in range(4):
        bought(lost, (now.date() - end).days + 90 + 7 * n, "杯", store="Bund")
    happened(lost, "Survey Answered", (now.date() - end).days + 91, kind="csat", score=3)  # neutral, so no hint
    happened(lost, "Complaint Filed", (now.date() - end).days + 90, category="slow")
    for who, score in ((gone, 10), (visitor, 9), (None, 2), (None, 9), (other, 8), (records[0], 2)):
        happened(who, "Survey Answered", 3, kind="nps", score=score, store="静安店")
    for who, score in ((gone, 5), (visitor, 2), (None, 4), (other, 4)):
        happened(who, "Survey Answered", 3, kind="csat", score=score)
    happened(gone, "Customer Erased", 0, records=1)
    assert all(append(events))
    dispatch.number()
    feed.catch_up()
    refresh.full()
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(people["manager"])
    yield client
    engine.close()


def queries_end(now: Any) -> Any:
    """The last day of last month."""
    return now.date().replace(day=1) - timedelta(days=1)


def people_behind(address: str) -> int:
    """How many the list of an address has, with those that it says it can't show."""
    moment = queries.snapshot()
    wanted = filters.asked(QueryDict(html.unescape(address).partition("?")[2])).filters()
    named = queries.customers.count(moment, filters=replace(wanted, erased=None))
    return named + queries.customers.nameless(moment, filters=wanted)


def links(page: str) -> list[tuple[str, str]]:
    """(address, text) of the links of a page's content to lists of customers."""
    content = page.split("<main", 1)[1]
    return re.findall(r'<a(?: class="[^"]*")? href="(/customers\?[^"]+)">([^<]*)</a>', content)


SALES = [f"sales?period={period}&show=buyers&by={by}" for period, by in (
    ("28", "store"), ("28", "category"), ("365", "product"), ("all", "channel")
)]  # fmt: skip


def test_every_count_is_as_long_as_the_list_it_leads_to(manager: Client) -> None:
    seen: dict[str, str] = {}
    insights = (*SALES, "voice", "cohorts", "risk", "risk?lost=1", "rfm", "lost")
    for page in (*(f"/insights/{page}" for page in insights), *(f"/overview?period={days}" for days in ("7", "28"))):
        answer = manager.get(page)
        assert answer.status_code == 200, page
        for address, text in links(answer.content.decode()):
            found = re.fullmatch(r"(?:[A-Z][a-z ]+ )?([\d,]+)", text.strip())
            if found and "nps=any" not in address:  # what these say is a score
                seen[address] = found[1]
    counted = {address: people_behind(address) for address in seen}
    assert counted == {address: int(text.replace(",", "")) for address, text in seen.items()}
    kinds = {name for address in seen for name in re.findall(r"[?&;](\w+)=", address)}
    assert kinds >= {
        "since", "until", "bought_store", "bought_channel", "bought_category", "bought_product", "first",
        "again", "nps", "csat", "said_store", "lost",
    }  # fmt: skip
    assert any("bought_store=&" in address or address.endswith("bought_store=") for address in seen)


def test_a_cohorts_cell_leads_to_those_who_came_back_in_that_month(manager: Client) -> None:
    context = manager.get("/insights/cohorts").context
    cells = [item for item in context["retention"].option["series"][0]["data"] if item["value"][2]]
    sizes = [cohort.size for cohort in queries.cohorts.retention(queries.snapshot())]
    assert len(cells) > 3
    for item in cells:
        _, row, share = item["value"]
        assert people_behind(item["url"]) == round(share * sizes[row]), item


def test_new_and_returning_buyers_of_a_week_are_told_apart(manager: Client) -> None:
    told = 0
    for series in manager.get("/insights/sales?period=365").context["buyers"].option["series"]:
        for item in series["data"][-14:]:
            assert people_behind(item["url"]) == item["value"], item
            told += bool(item["value"])
    assert told > 5


def test_the_second_order_leads_to_those_who_came_again_in_time(manager: Client) -> None:
    for row, _, _, within in manager.get("/insights/cohorts").context["second"]:
        for (share, url), count in zip(within, (row.within_30, row.within_60, row.within_90), strict=True):
            if share is not None:
                assert people_behind(url) == count


def test_a_score_leads_to_all_who_gave_one(manager: Client) -> None:
    page = manager.get("/insights/voice")
    assert people_behind(page.context["nps_url"]) == page.context["nps"].answers == 7
    assert people_behind(page.context["csat_url"]) == page.context["csat"].answers == 4
    listed = manager.get(page.context["nps_url"]).content.decode()
    assert listed.count("<tr data-href=") == 4
    assert "<b>2</b> more answers came without a name" in listed and "<b>1</b> more was erased" in listed
    assert "NPS: answered · " in listed
    months = [item for item in page.context["trend"].option["series"][0]["data"] if isinstance(item, dict)]
    assert months and people_behind(months[-1]["url"]) == 7


def test_those_lost_this_month_stand_there_with_what_is_known(manager: Client) -> None:
    page = manager.get("/insights/lost").content.decode()
    row = re.sub(r"<[^>]+>|\s+", " ", page.split("<tbody>")[-1].split("</tr>")[0])
    assert " ".join(row.split()).startswith("N1 Dormant ") and "slow" in row
    assert "Complained · 1" in page and "Nothing known · 0" in page
    for hint in ("refund", "unhappy"):
        assert "N1" not in manager.get(f"/insights/lost?hint={hint}").content.decode()
    steps = manager.get("/overview").content.decode().split('class="todo"')[1].split("</ol>")[0]
    assert 'href="/insights/lost"' in steps and "1 customer was lost" in steps


@pytest.mark.parametrize(
    ("query", "chips"),
    [
        ("first=2026-03&came=2026-05", ["首次购买：2026-03", "当月购买：2026-05"]),
        ("bought_store=&since=2026-05-01", ["购买过：未注明 · 2026-05-01 起"]),
        ("bought_category=茶&bought_channel=app", ["购买过：app · 茶"]),
        (
            "first=2026-05-01..2026-05-07&before=2026-05-02",
            ["首次购买：2026-05-01 至 2026-05-07", "首次购买：早于 2026-05-02"],
        ),
        ("first=2026-03&again=30", ["首次购买：2026-03", "再次购买：首购后 30 天内"]),
        ("nps=detractors&said_store=Bund", ["NPS：贬损者（0–6 分） · Bund"]),
        ("csat=satisfied&said_until=2026-05-01", ["CSAT：满意（4–5 分） · 截至 2026-05-01"]),
        ("lost=1", ["新近流失：本月"]),
        ("came=x&again=31&nps=7&lost=2&said_store=Bund&csat=&before=now", []),
    ],
)
def test_what_a_link_asks_reads_as_a_sentence_and_can_be_taken_away(
    people: dict[str, Any], home: Path, query: str, chips: list[str]
) -> None:
    client = Client(headers={"Accept-Language": "zh"})
    client.force_login(people["manager"])
    page = client.get(f"/customers?{query}").content.decode()
    found = re.findall(r'<a class="chip on" href="([^"]*)"[^>]*>([^<]*)<', page)
    engine.close()
    assert [text for _, text in found] == chips
    if len(chips) == 1:
        assert found[0][0] == "?"
