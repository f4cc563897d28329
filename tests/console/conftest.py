"""A small tea shop for the console's tests: a few customers with orders, in a warehouse of its own."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

from regulars.kernel import clock
from tools.chromium import executable

PASSWORD = "correct horse battery"
DAY = timedelta(days=1)
ORDERS = {"rain": list(range(3, 123, 10)), "ming": list(range(150, 300, 10)), "eve": [20]}  # days ago
NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def _afresh(settings: Any) -> None:
    """Passwords are hashed quickly, because every test adds six people."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def _events(now: datetime, record: int, days_ago: list[int], total: str) -> list[Any]:
    from regulars.eventlog.services import NewEvent

    return [
        NewEvent(
            f"order-{record}-{ago}",
            "Order Completed",
            record,
            now - ago * DAY,
            now - ago * DAY,
            {
                "order_id": f"A{record}-{ago}",
                "currency": "CNY",
                "store": "西湖店",
                "products": [{"product_id": "p1", "name": "龙井", "price": total, "quantity": 1}],
            },
            {},
            "track:1",
        )
        for ago in days_ago
    ]


def _settle(now: datetime) -> dict[str, int]:
    from regulars.customers.services import Claim, resolve
    from regulars.eventlog.services import append

    claims = [
        (("phone", "13800000001"), ("email", "xiaoyu@example.com"), "王小雨"),
        (("phone", "13800000002"), ("email", "ming@example.com"), "李明"),
        (("phone", "13800000003"), ("email", "eve@example.com"), "=Eve"),
    ]
    ids = resolve([Claim((a, b), {"name": name}, now - 400 * DAY) for a, b, name in claims])
    rain, ming, eve = (id or 0 for id in ids)
    append(
        _events(now, rain, ORDERS["rain"], "50.00")
        + _events(now, ming, ORDERS["ming"], "80.00")
        + _events(now, eve, ORDERS["eve"], "30.00")
    )
    return {"rain": rain, "ming": ming, "eve": eve}


@pytest.fixture
def town(transactional_db: None, home: Path, people: dict[str, Any]) -> Iterator[dict[str, int]]:
    """The same shop as of now, judged: for a browser, whose server runs in a thread of its own."""
    from regulars.warehouse import engine, refresh

    ids = _settle(clock.now())
    refresh.bring_up(full_anyway=True)
    yield ids
    engine.close()


@pytest.fixture
def shop(home: Path, people: dict[str, Any]) -> Iterator[dict[str, int]]:
    """Ids by name: 王小雨 comes every ten days, 李明 came every ten days and stopped, =Eve bought once. It is 30 June 2026;
    nobody has been judged yet.
    """
    from regulars.warehouse import engine

    with clock.frozen(NOW):
        yield _settle(NOW)
    engine.close()


@pytest.fixture
def judged(shop: dict[str, int]) -> dict[str, int]:
    """The same shop after a refresh."""
    from regulars.warehouse import refresh

    refresh.bring_up(full_anyway=True)
    return shop


@pytest.fixture
def as_role(people: dict[str, Any]) -> Any:
    """`as_role("agent")`: a client of somebody with the role, in English."""

    def client(role: str, language: str = "en") -> Client:
        made = Client(headers={"Accept-Language": language})
        made.force_login(people[role])
        return made

    return client


@pytest.fixture
def visit(
    chromium: Browser, live_server: Any, town: dict[str, int], people: dict[str, Any]
) -> Iterator[Callable[..., Page]]:
    """`visit("admin", "zh-hans", "dark", 390)`: an empty page of somebody who has logged in."""
    contexts = []

    def come(role: str, language: str = "en", theme: str = "light", width: int = 1280) -> Page:
        context = chromium.new_context(
            base_url=live_server.url, viewport={"width": width, "height": 850}, reduced_motion="reduce", bypass_csp=True
        )
        contexts.append(context)
        inside = Client()
        inside.force_login(people[role])
        session = inside.cookies["regulars_session"].value
        for name, value in (
            ("regulars_language", language),
            ("regulars_theme", theme),
            ("regulars_session", session),
        ):
            context.add_cookies([{"name": name, "value": value, "url": live_server.url}])
        page = context.new_page()
        page.set_default_timeout(15_000)
        return page

    yield come
    for context in contexts:
        context.close()
