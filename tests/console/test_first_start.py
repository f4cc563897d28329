"""Before there is data: what the business is gets asked, with proposals, and the overview says which steps are done."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from regulars.accounts.queries import Business, business
from regulars.console.settings.proposing import proposed
from regulars.kernel import clock
from regulars.warehouse import engine, queries


@pytest.fixture
def admin(home: Path, people: dict[str, Any]) -> Iterator[Client]:
    client = Client(headers={"Accept-Language": "en-GB,en"})
    client.force_login(people["admin"])
    yield client
    engine.close()


def test_the_first_admin_is_asked_what_the_business_is_and_then_never_again(admin: Client) -> None:
    assert admin.get("/")["Location"] == "/settings/first"
    page = admin.get("/settings/first").content.decode()
    assert "data-ask-zone" in page and 'value="Europe/London"' in page and 'value="GBP"' in page
    page = admin.get("/settings/first?zone=America/Toronto").content.decode()
    assert "data-ask-zone" not in page and 'value="CAD"' in page and '<option value="CA" selected>' in page
    given = {"name": "", "zone": "Nowhere", "currency": "GBP", "region": "GB"}
    wrong = admin.post("/settings/first", given)
    told = wrong.content.decode()
    assert wrong.status_code == 422 and "no such time zone" in told and "Give a name" in told
    assert business() == Business()
    done = admin.post("/settings/first", given | {"name": "Tea & Co", "zone": "Europe/London"})
    assert done["Location"] == "/overview"
    assert (business().name, business().zone, business().currency) == ("Tea & Co", "Europe/London", "GBP")
    assert admin.get("/")["Location"] == "/overview"
    assert admin.get("/settings/first")["Location"] == "/settings"


def test_the_empty_overview_tells_the_steps_and_which_are_done(
    admin: Client, people: dict[str, Any], happened_once: Any
) -> None:
    def told() -> str:
        return admin.get("/overview").content.decode()

    assert 'href="/settings/first"' in told() and "Import a file of orders" in told()
    admin.post("/settings/first", {"name": "Tea", "zone": "Europe/London", "currency": "GBP", "region": "GB"})
    assert "Tea · Europe/London · GBP" in told() and 'href="/settings/first"' not in told()
    happened_once()
    assert "Data has come in" in told() and "being computed" in told()
    admin.force_login(people["analyst"])
    assert 'href="/settings' not in told() and 'href="/imports' not in told()


@pytest.fixture
def happened_once() -> Any:
    from regulars.eventlog import dispatch
    from regulars.eventlog.rows import NewEvent
    from regulars.eventlog.services import append

    def tell() -> None:
        now = clock.now()
        append([NewEvent("e1", "Page Viewed", None, now, now, {}, {}, "service")])
        dispatch.number()

    return tell


def test_with_data_there_nobody_is_stopped_on_the_way(admin: Client, happened_once: Any) -> None:
    happened_once()
    assert admin.get("/")["Location"] == "/overview"


@pytest.mark.parametrize(
    ("zone", "languages", "found"),
    [
        ("Europe/London", "zh-CN", ("Europe/London", "GB", "GBP")),
        ("Asia/Kolkata", "en", ("Asia/Kolkata", "IN", "INR")),
        ("", "de-DE,de;q=0.9", ("", "DE", "EUR")),  # two zones: neither is proposed
        ("", "en-GB", ("Europe/London", "GB", "GBP")),
        ("", "zh-Hans-HK,en-US", ("Asia/Hong_Kong", "HK", "HKD")),
        ("UTC", "en", ("UTC", "CN", "CNY")),
        ("../etc/passwd", "x", ("Asia/Shanghai", "CN", "CNY")),
    ],
)
def test_proposals_follow_the_browsers_zone_and_else_its_language(
    zone: str, languages: str, found: tuple[str, str, str]
) -> None:
    said = proposed(zone=zone, languages=languages)
    assert (said["zone"], said["region"], said["currency"]) == found


def test_before_the_first_refresh_today_is_the_businesss(admin: Client) -> None:
    with clock.frozen(datetime(2026, 11, 22, 17, tzinfo=UTC)):  # the 23rd in Shanghai
        now = queries.snapshot()
        assert clock.day_of(now.as_of).isoformat() == "2026-11-23"
    admin.post("/settings/first", {"name": "Tea", "zone": "Europe/London", "currency": "GBP", "region": "GB"})
    with clock.frozen(datetime(2026, 11, 22, 17, tzinfo=UTC)):
        now = queries.snapshot()
        assert clock.day_of(now.as_of).isoformat() == "2026-11-22" and now.currency == "GBP"
