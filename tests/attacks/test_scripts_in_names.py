"""Names, notes, events and files that carry scripts, looked at in a real Chromium that would run them: the policy that
forbids scripts in a page is put aside, so that the pages alone have to hold; and then the policy alone.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from regulars.accounts import services as accounts
from regulars.catalog import Fault
from regulars.console.customers import saved
from regulars.customers import services as customers
from regulars.customers.services import Claim
from regulars.eventlog import quarantine
from regulars.eventlog.rows import NewEvent
from regulars.eventlog.services import append
from regulars.imports import mappings, queries
from regulars.imports import services as imports
from regulars.kernel import clock
from regulars.kernel.languages import Text
from regulars.warehouse import engine, refresh
from regulars.webhooks.services import add_endpoint
from tests.attacks.conftest import doors
from tools.chromium import executable

pytestmark = pytest.mark.browser

EVIL = """'"></script><img src=x onerror=evil=1>"""
ADDRESS = "javascript:evil=1"
LOOK = """() => ({
    ran: typeof evil !== "undefined",
    planted: document.querySelectorAll('img[src="x"], [onerror]').length,
    links: document.querySelectorAll('[href^="javascript:" i], [src^="javascript:" i], [action^="javascript:" i]').length,
    shown: document.documentElement.textContent.includes("<img src=x onerror=evil=1>"),
})"""


@pytest.fixture
def business(home: Path, transactional_db: None, actors: dict[str, Any], settings: Any) -> Iterator[dict[str, int]]:
    """Whatever can be named is named by EVIL; numbers by the names of the addresses' parts."""
    admin, now = actors["admin"], clock.now()
    settings.WEBHOOKS_PRIVATE = True
    accounts.change_settings(name=EVIL, by=admin)
    accounts.add_write_key(name=EVIL, by=admin)
    accounts.add_api_key(name=EVIL, scopes=["customers.view"], by=admin)
    endpoint, _ = add_endpoint(
        url=f"https://192.0.2.1/?{EVIL.replace(' ', '/')}", events=["Order Completed"], by=admin, name=EVIL
    )
    customers.save_store(code=EVIL, name=EVIL, by=admin)
    traits = {"name": EVIL, "city": EVIL, "home_store": EVIL, "website": ADDRESS, "avatar": ADDRESS}
    found = customers.resolve(
        [Claim((("user_id", f"{EVIL}{n}"), ("wechat_openid", f"{EVIL}{n}")), traits, now) for n in range(3)]
    )
    first, second, third = (record or 0 for record in found)
    properties = {
        "order_id": EVIL, "total": 50, "currency": "CNY", "store": EVIL, "channel": EVIL, EVIL: EVIL, "url": ADDRESS,
        "comment": EVIL, "question": EVIL, "score": 1, "reason": EVIL, "subject": EVIL,
        "products": [{"product_id": EVIL, "name": EVIL, "category": EVIL, "price": 50, "quantity": 1, "url": ADDRESS}],
    }  # fmt: skip
    names = ["Order Completed", "Order Completed", EVIL, "Complaint Filed", "Survey Answered", "Page Viewed"]
    append([
        NewEvent(f"evil-{who}-{n}", name, who, now - timedelta(days=n), now, properties,
                 {"page": {"url": ADDRESS, "referrer": ADDRESS, "title": EVIL}, "userAgent": EVIL}, "track:1")
        for who in (first, second) for n, name in enumerate(names)
    ])  # fmt: skip
    customers.tag(customer_ids=[first, second], name=EVIL[:30], by=admin)
    customers.add_note(customer_id=first, text=EVIL, by=admin)
    customers.merge(source=third, target=second, by=admin)
    saved.save(name=EVIL, query="q=1", shared=True, by=admin)
    fault = Fault("unprocessable", EVIL, Text(EVIL, EVIL))
    quarantine.put([quarantine.BadEvent({"event": EVIL, EVIL: EVIL}, fault, "track:1", now)])
    file = f'order,date,price,"{EVIL.replace(chr(34), chr(34) * 2)}"\n1,bad,{EVIL[:2]},x\n'.encode()
    row = imports.upload(kind="orders", name=EVIL.replace("/", "∕") + ".csv", chunks=[file], by=admin)
    imports.read(imports.Silent(), row.pk)
    imports.save_mapping(name=EVIL, mapping=mappings.parsed(queries.get(row.pk).mapping), by=admin)
    refresh.bring_up(full_anyway=True)
    yield {"customer": first, "import": row.pk, "webhook": endpoint}
    engine.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def addresses(ids: dict[str, int]) -> list[str]:
    numbers = {"/imports": ids["import"], "/webhooks": ids["webhook"], "/events": 1, "/staff": 1, "/customers": None}
    told = [
        door.at(number=numbers.get("/" + str(door).split("/")[1]) or ids["customer"], text=f"evil-{ids['customer']}-2")
        for door in doors()
        if str(door) not in ("/logout", "/login") and "rejects" not in str(door)
    ]
    told += [f"/search?q={EVIL[5:15]}", "/customers?q=evil", f"/customers/{ids['customer']}/merge?with=2"]
    return list(dict.fromkeys(told))


@pytest.mark.timeout(300)
def test_no_page_runs_what_names_and_events_carry(
    chromium: Browser, live_server: Any, business: dict[str, int], people: dict[str, Any]
) -> None:
    from django.test import Client

    client = Client()
    client.force_login(people["admin"])
    context = chromium.new_context(base_url=live_server.url, bypass_csp=True, reduced_motion="reduce")
    session = {"name": "regulars_session", "value": client.cookies["regulars_session"].value, "url": live_server.url}
    context.add_cookies([session])  # type: ignore[list-item]
    page = context.new_page()
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    shown = set()
    for address in addresses(business):
        answer = client.get(address)
        if answer.status_code != 200 or answer["Content-Type"].partition(";")[0] != "text/html":
            continue
        page.goto(address)
        for chart in page.locator("canvas").all():
            chart.hover(position={"x": 120, "y": 60}, timeout=2000, force=True)
        for place in page.locator("[title], [data-tip], summary").all()[:3]:
            if place.is_visible():
                place.hover(timeout=2000, force=True)
        seen = page.evaluate(LOOK)
        assert not seen["ran"] and not seen["planted"] and not seen["links"], (address, seen)
        if seen["shown"]:
            shown.add(address)
    assert said == []
    customer, file, endpoint = business["customer"], business["import"], business["webhook"]
    assert shown >= {"/keys", "/settings", "/customers", f"/customers/{customer}", f"/events/evil-{customer}-2",
                     f"/imports/{file}", "/imports", "/imports/mappings", "/webhooks", f"/webhooks/{endpoint}",
                     "/insights/sales", "/insights/voice", "/events", "/audit"}  # fmt: skip
    context.close()


def test_the_policy_lets_no_script_run_that_stands_in_a_page(chromium: Browser, live_server: Any, db: None) -> None:
    context = chromium.new_context(base_url=live_server.url)
    page = context.new_page()
    page.goto("/login")
    page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.evil = 1";
        document.body.append(script);
        const holder = document.createElement("div");
        holder.innerHTML = '<img src="/none" onerror="window.evil = 2">';
        document.body.append(holder);
        return new Promise(done => holder.firstChild.addEventListener("error", () => setTimeout(done, 0)));
    }""")
    assert page.evaluate("typeof window.evil") == "undefined"
    context.close()
