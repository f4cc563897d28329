"""The console in a real Chromium: nothing serious for axe, usable by keyboard, deeds and their undoing."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from regulars.kernel import clock
from regulars.kernel.languages import Text

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SEE = ["/overview", "/customers", "/customers/{rain}", "/customers/{rain}/merge?with={ming}", "/customers/add",
       "/customers/shared", "/settings", "/staff", "/keys", "/webhooks", "/webhooks/new", "/audit",
       "/jobs", "/me", "/nothing", "/imports", "/imports/{file}", "/jobs/{job}", "/webhooks/{endpoint}",
       "/webhooks/deliveries/{delivery}", "/events/quarantine/one/{aside}", "/api/docs", "/imports/mappings", "/events", "/events/quarantine", "/events/catalogue",
       "/events/subscribers", "/events/order-{rain}-3", *(f"/insights/{name}" for name in (
           "sales", "rfm", "lifecycle", "cohorts", "rhythm", "risk?lost=1", "voice"))]  # fmt: skip


@pytest.fixture
def places(town: dict[str, int]) -> dict[str, Any]:
    """Whose pages are visited, with one of everything that has a page of its own."""
    from regulars.accounts.actors import SYSTEM
    from regulars.accounts.services import add_api_key, revoke_api_key
    from regulars.eventlog.models import Quarantined
    from regulars.imports import services as imports
    from regulars.jobs.services import start
    from regulars.webhooks import services as webhooks

    key, _ = add_api_key(name="收银台 till", scopes=["customers.view"], by=SYSTEM)
    revoke_api_key(id=key.pk, by=SYSTEM)  # the only one: nothing in its table can take the focus
    text = "Order,Date,Amount,Phone\nA1,2026-01-05,12.50,13800000009\n"
    file = imports.upload(kind="orders", name="orders.csv", chunks=[text.encode()], by=SYSTEM)
    imports.read(imports.Silent(), file.pk)
    endpoint, _ = webhooks.add_endpoint(url="https://1.1.1.1/hook", events=["Order Completed"], by=SYSTEM)
    aside = Quarantined.objects.create(
        digest="d", source="track:1", received_at=clock.now(), name="Order Completed", payload={"total": "x"},
        code="wrong", field="total", reason_en="total should be a number.", reason_zh="total 应为数字。",
    )  # fmt: skip
    return {
        **town,
        "file": file.pk,
        "job": start("nothing", by=SYSTEM, arguments={}, title=Text("Count the leaves", "数茶叶")).pk,
        "endpoint": endpoint,
        "delivery": webhooks.send_test(id=endpoint, by=SYSTEM),
        "aside": aside.pk,
    }


LOOKS = [("zh-hans", "light", 1280), ("en", "dark", 390)]
FAULTS = """async (within, rules) => (await axe.run(
    within || document, {runOnly: rules || ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})).violations
    .filter(v => ['serious', 'critical'].includes(v.impact))
    .map(v => location.pathname + ' ' + v.id + ' ' + v.nodes[0].html.slice(0, 160))"""
# Every menu and dialog, one after the other, open; then all once more for its colours in the dark. The frame's own
# menus on one page alone.
OPENED = """async (frame) => {
    const faults = FAULTS, found = [], root = document.documentElement, theme = root.dataset.bsTheme;
    const parts = frame ? [...document.querySelectorAll('.dropdown, dialog')]
        : [...document.querySelectorAll('main :is(.dropdown, dialog)')];
    document.querySelectorAll('main details').forEach(details => { details.open = true; });
    for (const rules of [undefined, ['color-contrast']]) {
        root.dataset.bsTheme = rules ? 'dark' : 'light';
        for (const part of parts) {
            const shown = [...part.querySelectorAll('[data-bs-toggle], .dropdown-menu')];
            if (part.showModal) part.showModal(); else shown.forEach(one => one.classList.add('show'));
            found.push(...await faults(part, rules));
            if (part.showModal) part.close(); else shown.forEach(one => one.classList.remove('show'));
        }
    }
    found.push(...await faults('main', ['color-contrast']));
    root.dataset.bsTheme = theme;
    return found;
}""".replace("FAULTS", f"({FAULTS})")


@pytest.mark.parametrize(("language", "theme", "width"), LOOKS)
def test_no_page_has_a_serious_fault_for_axe_nor_scrolls_sideways(
    visit: Callable[..., Page], places: dict[str, Any], language: str, theme: str, width: int
) -> None:
    page = visit("admin", language, theme, width)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    for address in SEE:
        page.goto(address.format(**places))
        if address == "/api/docs":
            page.locator(".opblock").first.wait_for()
        page.add_script_tag(path=AXE)
        broken += page.evaluate(FAULTS, None)
        if address == "/api/docs":
            broken += page.evaluate(
                "async () => (await axe.run({runOnly: ['heading-order']})).violations.map(v => v.id)"
            )
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            broken.append(f"{address} scrolls sideways")
        if width == 1280 and page.locator("main :is(.dropdown, dialog, details)").count():
            broken += page.evaluate(OPENED, address == "/customers")
    page.context.clear_cookies(name="regulars_session")
    page.goto("/login")
    page.add_script_tag(path=AXE)
    broken += page.evaluate(FAULTS, None)
    assert broken == []


def test_ctrl_k_finds_a_customer_by_phone_without_a_mouse(visit: Callable[..., Page], town: dict[str, int]) -> None:
    page = visit("agent")
    page.goto("/customers")
    page.keyboard.press("Control+k")
    page.keyboard.type("138 0000 0002")
    expect(page.locator("#search-results [role=option]").first).to_contain_text("李明")
    page.keyboard.press("Escape")  # once is enough
    expect(page.locator("#search")).not_to_be_visible()
    page.keyboard.press("Control+k")
    expect(page.locator("#search-results [role=option]").first).to_contain_text("李明")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/customers/{town['ming']}")
    expect(page.locator("h1")).to_have_text("李明")
    page.goto("/customers")
    page.keyboard.press("Control+k")
    page.keyboard.type("13800000002\n")  # as a scanner does: nothing is found yet
    page.wait_for_url(f"**/customers/{town['ming']}")


def test_a_deed_is_done_though_its_form_was_put_there_anew_meanwhile(
    visit: Callable[..., Page], town: dict[str, int]
) -> None:
    """As what shows progress is, every moment."""
    page = visit("admin")
    page.goto("/customers")
    page.evaluate(
        """() => { const ask = window.fetch; window.fetch = (...asked) => {
            const form = document.querySelector("form[action$='/export']");
            form.replaceWith(form.cloneNode(true));
            return ask(...asked);
        }; }"""
    )
    page.locator("form[action$='/export'] button").click()
    page.wait_for_url("**/jobs/*")


IDENTITIES = {
    "user_id": ("U-4711", "U-4711"),
    "anonymous_id": ("0a1b-2c3d", "0a1b-2c3d"),
    "email": ("Chen.Jing@Example.com", "chen.jing@example.COM"),
    "phone": ("13900000004", "+86 139-0000-0004"),
    "wechat_openid": ("oX4711abc", "oX4711abc"),
    "wechat_unionid": ("uY4711abc", "uY4711abc"),
    "wecom_external_userid": ("wmZ4711abc", "wmZ4711abc"),
    "member_card": ("VIP 4711", "vip4711"),
    "device": ("till-tablet-9", "till-tablet-9"),
}


def test_a_customer_is_found_by_every_kind_of_identity(visit: Callable[..., Page], town: dict[str, int]) -> None:
    from regulars.customers.identities import KINDS
    from regulars.customers.services import Claim, resolve

    assert set(IDENTITIES) == set(KINDS)
    [id] = resolve([Claim(tuple((k, v) for k, (v, _) in IDENTITIES.items()), {"name": "陈静"}, clock.now())])
    page = visit("store", "zh-hans")
    page.goto("/customers")
    page.keyboard.press("Control+k")
    for _, typed in IDENTITIES.values():
        page.fill("[data-search-input]", "nobody")
        expect(page.locator("#search-results a")).to_have_count(0)
        page.fill("[data-search-input]", typed)
        expect(page.locator("#search-results a").first).to_contain_text("陈静")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/customers/{id}")


@pytest.mark.parametrize(("language", "said"), [("zh-hans", "条待显示"), ("en", "waiting")])
def test_live_events_arrive_by_themselves_and_wait_counted_while_paused(
    visit: Callable[..., Page], town: dict[str, int], language: str, said: str
) -> None:
    from regulars.eventlog.rows import NewEvent
    from regulars.eventlog.services import append

    def happened(name: str) -> None:
        append([NewEvent(f"new-{name}", name, town["rain"], clock.now(), clock.now(), {}, {}, "track:1")])

    page = visit("analyst", language)
    page.goto("/events?source=track%3A")
    happened("Tea Tasted")
    rows, pause = page.locator("#arrived tr:visible"), page.locator("[data-live-pause]")
    expect(rows.first).to_contain_text("Tea Tasted")
    before = rows.all_inner_texts()
    pause.click()
    for count, name in enumerate(("Cup Broken", "Pot Broken"), 1):
        happened(name)
        expect(page.locator("[data-live-waiting]")).to_have_text(f"{count} {said}")
    assert rows.all_inner_texts() == before
    pause.click()
    expect(page.locator("[data-live-waiting]")).to_have_text("")
    expect(rows.nth(1)).to_contain_text("Cup Broken")
    expect(rows.first).to_contain_text("Pot Broken")
    assert rows.all_inner_texts()[2:] == before
    page.locator("#arrived tr a").first.click()
    expect(page.locator("h1")).to_have_text("Pot Broken")
    expect(page.locator("[data-copy]")).to_have_attribute("data-text", re.compile(r"^curl .*Pot Broken"))


def test_the_keyboard_goes_to_the_content_first_and_through_the_tabs(
    visit: Callable[..., Page], town: dict[str, int]
) -> None:
    page = visit("agent")
    page.goto(f"/customers/{town['rain']}")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_class("skip")
    page.locator("#tab-timeline").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-orders")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".order")).to_have_count(12)


def test_consent_is_withdrawn_and_the_withdrawal_undone(visit: Callable[..., Page], town: dict[str, int]) -> None:
    page = visit("agent")
    page.goto(f"/customers/{town['rain']}")
    cell = page.locator(".consent-state").first
    for state in ("consent-given", "consent-withdrawn"):
        cell.click()
        expect(cell).to_have_class(f"consent-state {state}")
    page.locator(".toast-line form button").last.click()
    expect(page.locator(".consent-state").first).to_have_class("consent-state consent-given")


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_what_a_toast_offers_is_near_by_keyboard_and_nobody_has_to_be_quick(
    visit: Callable[..., Page], town: dict[str, int], language: str
) -> None:
    from regulars.accounts.actors import SYSTEM
    from regulars.customers import services

    services.add_identity(customer_id=town["rain"], kind="email", value="rain@example.com", by=SYSTEM)
    page = visit("agent", language)
    page.clock.install()
    page.goto(f"/customers/{town['rain']}")
    press, cell = page.keyboard.press, page.locator(".consent-state").first
    cell.focus()
    press("Enter")
    expect(cell).to_have_class("consent-state consent-given")
    undo = page.locator("[data-undo]")
    expect(undo).to_have_attribute("aria-keyshortcuts", "Control+Z Meta+Z")
    expect(undo.locator("kbd")).to_be_visible()
    page.clock.fast_forward(3600_000)
    expect(undo).to_be_visible()
    field = page.locator(".tag-form input[name=tag]")
    field.focus()
    press("a")
    press("Control+z")  # there it is about what was typed
    expect(field).to_have_value("")
    press("Control+z")
    cell.focus()
    expect(cell).to_have_class("consent-state consent-given")
    press("Control+z")
    expect(cell).to_have_class("consent-state consent-unknown")
    expect(page.locator("#consent :focus")).to_be_visible()
    field.focus()
    page.keyboard.type("tea")
    press("Enter")
    expect(undo).to_have_count(1)
    expect(field).to_be_focused()
    press("Control+z")  # nothing was typed here since
    expect(undo).to_have_count(0)
    # and what a page brings back keeps one's place, by the button as well
    page.locator("#identities details summary").first.focus()
    press("Enter")
    press("Tab")
    press("Enter")
    expect(page.locator("[data-undo]")).to_be_visible()
    expect(page.locator("#identities :focus")).to_be_visible()
    page.locator("[data-undo]").focus()
    press("Enter")
    expect(page.locator("[data-undo]")).to_have_count(0)
    expect(page.locator("#identities :focus")).to_be_visible()


def test_each_undo_is_of_its_own_deed_and_what_was_overtaken_withdraws(
    visit: Callable[..., Page], town: dict[str, int]
) -> None:
    page = visit("agent")
    page.goto(f"/customers/{town['rain']}")
    cells, toasts = page.locator(".consent-state"), page.locator(".toast-line")
    for place, state in ((0, "given"), (0, "withdrawn"), (1, "given")):
        cells.nth(place).click()
        expect(cells.nth(place)).to_have_class(f"consent-state consent-{state}")
    for name in ("tea", "silk"):
        page.fill(".tag-form input[name=tag]", name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name=f"Take off {name}")).to_be_visible()
    page.get_by_role("button", name="Take off tea").click()
    expect(toasts.locator(".toast-text")).to_have_text(
        ["Withdrawal recorded: SMS, Marketing.", "Consent recorded: SMS, Service.", "Tagged “silk”.",
         "The tag “tea” is taken off."]
    )  # fmt: skip
    toasts.first.get_by_role("button", name="Undo").click()
    page.get_by_text("It stands as before.").wait_for()
    for place in (0, 1):
        expect(cells.nth(place)).to_have_class("consent-state consent-given")
    expect(page.get_by_role("button", name=re.compile("^Take off"))).to_have_count(1)


def test_exporting_a_person_says_at_once_that_it_is_at_work_and_then_where_the_file_is(
    visit: Callable[..., Page], town: dict[str, int]
) -> None:
    page = visit("admin")
    page.goto(f"/customers/{town['rain']}")
    waiting: list[Any] = []
    page.route("**/export", lambda route: waiting.append(route))
    button = page.get_by_role("button", name="Export this person")
    with page.expect_request("**/export"):
        button.click()
    expect(page.locator("#toasts")).to_contain_text("The file is being put together. It comes to your downloads.")
    expect(button).to_have_attribute("aria-busy", "true")
    expect(button).to_have_css("cursor", "progress")
    button.click()  # nothing more is asked for
    assert len(waiting) == 1
    with page.expect_download() as coming:
        waiting[0].continue_()
    name = coming.value.suggested_filename
    assert re.fullmatch(rf"customer-{town['rain']}-\d{{8}}\.zip", name)
    expect(page.locator("#toasts")).to_contain_text(f"It is in your downloads: {name}")
    expect(button).not_to_have_attribute("aria-busy", "true")
    page.unroute("**/export")
    page.route("**/export", lambda route: route.fulfill(status=500))
    button.click()
    expect(page.locator("#toasts")).to_contain_text("The file couldn't be made.")


def test_the_keyboard_stays_where_it_was_after_each_deed(visit: Callable[..., Page], town: dict[str, int]) -> None:
    page = visit("agent")
    page.goto(f"/customers/{town['rain']}")
    press, field = page.keyboard.press, page.locator(".tag-form input[name=tag]")
    off = page.get_by_role("button", name=re.compile("^Take off"))
    field.focus()
    for count, name in enumerate(("tea", "silk", "jade"), 1):
        page.keyboard.type(name)
        press("Enter")
        expect(off).to_have_count(count)
        expect(field).to_be_focused()
    page.keyboard.type("x" * 51)
    field.evaluate("field => field.setCustomValidity('')")  # as a browser that lets it pass
    press("Enter")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".htmx-added, .htmx-settling")).to_have_count(0)  # only then it has the focus for good
    expect(field).to_be_focused()
    off.nth(1).focus()
    press("Enter")
    expect(off).to_have_count(2)
    expect(off.nth(1)).to_be_focused()
    cell = page.locator(".consent-state").nth(4)
    cell.focus()
    for state in ("given", "withdrawn"):
        press("Enter")
        expect(cell).to_have_class(f"consent-state consent-{state}")
        expect(cell).to_be_focused()
    page.get_by_role("textbox", name="New note").focus()
    page.keyboard.type("Prefers oolong")
    press("Tab")
    press("Enter")
    expect(page.locator(".notes .note-text")).to_have_text("Prefers oolong")
    expect(page.get_by_role("button", name="Keep the note")).to_be_focused()
    page.locator(".reveal").first.focus()
    press("Enter")
    expect(page.locator(".revealed")).to_be_focused()
    edit = page.locator("[data-open=edit]")
    edit.focus()
    press("Enter")
    page.locator("#profile-city").focus()
    page.keyboard.type("杭州")
    press("Enter")
    page.get_by_text("The profile is changed.").wait_for()
    expect(edit).to_be_focused()
    page.get_by_role("button", name="Remove the note").focus()
    press("Enter")
    page.get_by_text("The note is removed.").wait_for()
    assert page.evaluate("document.activeElement.closest('#notes') !== null")
    # who has gone elsewhere meanwhile stays there
    field.fill("late")
    page.evaluate(
        "() => { document.querySelector('.tag-form').requestSubmit(); document.getElementById('tab-orders').focus(); }"
    )
    expect(off).to_have_count(3)
    expect(page.locator("#tab-orders")).to_be_focused()


def test_a_note_is_written_about_those_chosen_undone_and_redone(
    visit: Callable[..., Page], town: dict[str, int]
) -> None:
    page = visit("store")
    page.goto("/customers")
    for who in ("rain", "ming"):
        page.check(f'input[name=ids][value="{town[who]}"]')
    page.get_by_role("button", name="Write a note").click()
    page.get_by_role("textbox", name="Note").fill("喜欢乌龙")
    page.get_by_role("button", name="Save").and_(page.locator("[form=bulk]")).click()
    page.get_by_text("Wrote the note about 2 customers.").wait_for()
    page.locator(".toast-line form button").last.click()
    page.get_by_text("Removed 2 notes.").wait_for()
    page.locator(".toast-line form button").last.click()
    page.get_by_text("2 notes are back.").wait_for()
    page.goto(f"/customers/{town['ming']}")
    expect(page.get_by_text("喜欢乌龙")).to_have_count(1)


def test_back_unticks_what_the_address_doesnt_say_and_escape_closes_an_explanation(
    visit: Callable[..., Page], town: dict[str, int]
) -> None:
    page = visit("marketer", "en")
    page.goto("/customers")
    page.locator(".filters .dropdown button").first.click()
    page.locator("input[name=stage][value=lost]").check()
    page.locator(".dropdown-menu.show .btn-primary").click()
    expect(page.locator(".chip.on")).to_have_text("Stage: Lost")
    page.go_back()
    expect(page.locator(".chip.on")).to_have_count(0)
    expect(page.locator("input[name=stage][value=lost]")).not_to_be_checked()
    page.locator(".explained").first.focus()
    expect(page.locator(".popover")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".popover")).to_have_count(0)


def test_light_and_dark_and_the_language_are_remembered(visit: Callable[..., Page], town: dict[str, int]) -> None:
    page = visit("agent", "en", "light")
    page.goto("/customers")
    page.locator("[data-theme-switch]").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.locator("header form button[name=language]").first.click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


@pytest.mark.parametrize(("language", "theme"), [("zh-hans", "light"), ("en", "dark")])
def test_on_a_phone_tables_show_their_figures_whole(
    visit: Callable[..., Page], places: dict[str, Any], actors: dict[str, Any], language: str, theme: str
) -> None:
    from regulars.accounts.services import add_api_key, add_write_key, set_password
    from regulars.customers.services import Claim, resolve
    from regulars.eventlog.services import append
    from regulars.warehouse import refresh
    from tests.console.conftest import _events

    now = clock.now()
    keys = (("phone", "13800001000"), ("email", "a.long.address@example.com"))
    [tea] = resolve([Claim(keys, {"name": "Maximiliane von Hohenzollern-Sigmaringen"}, now)])
    append(_events(now, tea or 0, [5, 40, 80], "6394604.00"))
    refresh.bring_up(full_anyway=True)
    add_api_key(name="收银台与会员小程序的后台服务", scopes=["customers.view", "customers.edit"], by=actors["admin"])
    add_write_key(name="Tills of all stores in the west of the town", by=actors["admin"])
    set_password(id=actors["agent"].id, password="many leaves of tea", by=actors["admin"])
    page = visit("admin", language, theme, 390)
    cut = """() => [...document.querySelectorAll('main .table-responsive')].filter(t => t.scrollWidth > t.clientWidth + 1)
        .map(t => location.pathname + ' ' + t.ariaLabel)"""
    shown = {"/insights/rfm": "¥19,18", "/insights/sales?period=365": "¥19,18", "/staff": "analyst@example.com",
             "/keys": "收银台与会员小程序的后台服务", "/audit": "Agent", "/events/quarantine?code=wrong&field=total&name=Order+Completed": "total",
             "/customers": "¥19,183,812", "/customers?sort=-last_day": str(clock.now().year)}  # fmt: skip
    for address, figure in shown.items():
        page.goto(address)
        assert page.evaluate(cut) == []
        expect(page.locator("main table :is(td, th, div, a):visible").filter(has_text=figure).first).to_be_visible()
        if "sales" in address:  # what a column means is within reach, though its head isn't above it
            page.locator(".stacked .explained").nth(2).click()
            expect(page.locator(".popover-body")).to_be_visible()
    sorts = page.locator(".sorts a")
    expect(sorts).to_have_count(5)
    sorts.nth(1).click()
    page.wait_for_url("**sort=-orders*")
    expect(page.locator(".customers tbody tr").first.locator("td.num:visible")).to_have_text(["15"])
    deeds = "main td button:not(dialog *), main [data-choose-all], main td summary"
    for address, least in {
        "/staff": 6,
        "/keys": 3,
        "/audit": 3,
        "/events/quarantine?code=wrong&field=total&name=Order+Completed": 3,
    }.items():
        page.goto(address)
        there = page.locator(deeds).all()
        assert len(there) >= least
        for button in there:
            box = button.bounding_box()
            assert box is not None and box["x"] + box["width"] <= 390, (address, button.inner_text())


def test_on_a_phone_the_navigation_comes_and_goes(visit: Callable[..., Page], town: dict[str, int]) -> None:
    page = visit("manager", "zh-hans", "light", 390)
    page.goto("/overview")
    link = page.locator(".side-nav a[href='/customers']")
    expect(link).not_to_be_in_viewport()
    page.locator("header [data-bs-target='#side']").click()
    expect(link).to_be_in_viewport()
    link.click()
    page.wait_for_url("**/customers")
    expect(page.locator(".side-nav a[href='/customers']")).not_to_be_in_viewport()


REFUSED = {"en": "Your role doesn't allow this", "zh-hans": "您的角色没有此权限"}
INSIGHTS = [f"/insights/{name}" for name in ("sales", "rfm", "lifecycle", "cohorts", "voice", "risk")]
LEFT = {
    "admin": ["/overview", "/customers", *INSIGHTS, "/imports", "/events", "/events/quarantine", "/events/catalogue",
              "/keys", "/webhooks", "/jobs", "/settings", "/staff", "/audit"],
    "manager": ["/overview", "/customers", *INSIGHTS, "/imports", "/events", "/events/quarantine", "/events/catalogue",
                "/jobs", "/audit"],
    "marketer": ["/overview", "/customers", *INSIGHTS, "/imports", "/events", "/events/catalogue", "/jobs"],
    "agent": ["/customers"],
    "store": ["/customers"],
    "analyst": ["/overview", "/customers", *INSIGHTS, "/events", "/events/catalogue"],
}  # fmt: skip
"""What each role has on the left. All but the admin are tried on one address that isn't there."""
BARRED = {"manager": "/keys", "marketer": "/audit", "agent": "/settings", "store": "/staff", "analyst": "/imports"}


def test_every_role_sees_its_own_navigation_and_is_told_politely_what_isnt_theirs(
    chromium: Browser, live_server: Any, people: dict[str, Any], home: Path, settings: Any
) -> None:
    assert LEFT.keys() == people.keys()
    context = chromium.new_context(base_url=live_server.url)
    page = context.new_page()
    page.set_default_timeout(15_000)
    for number, (role, left) in enumerate(LEFT.items()):
        language = ("en", "zh-hans")[number % 2]
        inside = Client()
        inside.force_login(people[role])
        session = inside.cookies[settings.SESSION_COOKIE_NAME].value
        for name, value in (("regulars_language", language), (settings.SESSION_COOKIE_NAME, session)):
            context.add_cookies([{"name": name, "value": value, "url": live_server.url}])
        answer = page.goto("/me", wait_until="domcontentloaded")
        assert answer is not None and answer.status == 200
        entries = page.locator(".side-nav a")
        assert entries.evaluate_all("all => all.map(a => a.getAttribute('href'))") == left, role
        if role in BARRED:
            answer = page.goto(BARRED[role], wait_until="domcontentloaded")
            assert answer is not None and answer.status == 403, role
            expect(page.locator("main .fault .lead")).to_contain_text(REFUSED[language])
            expect(entries).to_have_count(len(left))
    context.close()


def test_the_kind_of_event_chosen_comes_back_with_back(visit: Callable[..., Page], town: dict[str, int]) -> None:
    from regulars.accounts.actors import SYSTEM
    from regulars.customers.services import add_identity, add_note, delete_note, update_profile

    add_identity(customer_id=town["rain"], kind="member_card", value="R100", by=SYSTEM)
    update_profile(customer_id=town["rain"], fields={"city": "杭州"}, by=SYSTEM)
    delete_note(note_id=add_note(customer_id=town["rain"], text="喜欢靠窗", by=SYSTEM), by=SYSTEM)
    page = visit("agent")
    page.goto(f"/customers/{town['rain']}")
    page.select_option("#kind", "orders")
    page.wait_for_url("**?kind=orders")
    page.locator("#kind option[value=orders][selected]").wait_for(state="attached")  # the new part is in its place
    page.select_option("#kind", "profile")
    page.wait_for_url("**?kind=profile")
    page.go_back()
    page.wait_for_url("**?kind=orders")
    page.wait_for_function("document.querySelector('#kind').value === 'orders'")
    page.get_by_text("Remove", exact=True).click()
    page.get_by_text("Changes", exact=True).click()
    page.get_by_text("Recently removed", exact=True).click()
    page.get_by_role("button", name="Remove this Member card").click()
    page.get_by_text("Member card removed.").wait_for()
    page.select_option("#kind", "surveys")
    page.wait_for_url("**?kind=surveys")
    page.locator("header form button[name=language]").first.click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    assert page.url.endswith("?kind=surveys")


CUT = """() => [...document.querySelectorAll('.import-targets select')].filter(select => {
    const style = getComputedStyle(select), pen = document.createElement('canvas').getContext('2d')
    pen.font = style.font
    const room = select.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)
    return pen.measureText(select.selectedOptions[0].text).width > room + 1
}).map(select => select.getAttribute('aria-label'))"""


@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("zh-hans", 390)])
def test_a_mapping_shows_every_meaning_whole_and_says_what_will_be_rejected(
    visit: Callable[..., Page], monkeypatch: pytest.MonkeyPatch, language: str, width: int
) -> None:
    from regulars.accounts.actors import SYSTEM
    from regulars.imports import queries
    from regulars.imports import services as imports

    monkeypatch.setattr(queries, "LOOKED_THROUGH_AT_ONCE", 3)  # so that the forecast comes after the page
    text = "Order ID,Date,Item,Qty,Unit Price,Total,Amount of order,Shop,Customer,Phone,WeCom external_userid\n"
    for n in range(4):
        text += f"E{n},2026-01-0{n + 1},Tea,1,{'dear' if n == 3 else 12.5},12.50,12.50,High Street,Anna Lin,1{n},w{n}\n"
    file = imports.upload(kind="orders", name="orders.csv", chunks=[text.encode()], by=SYSTEM)
    imports.read(imports.Silent(), file.pk)
    page = visit("admin", language, "light", width)
    page.goto(f"/imports/{file.pk}")
    expect(page.locator(".import-forecast strong")).to_have_text(
        "3 of 4 rows will be taken in." if language == "en" else "共 4 行，将导入 3 行。"
    )
    expect(page.locator("#import-label")).to_have_text(
        "Import 3 of 4 rows" if language == "en" else "导入 3 行（共 4 行）"
    )
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator(".import-forecast summary").click()
    expect(page.locator(".import-forecast tbody tr").first).to_contain_text("dear")
    page.select_option("#c10", "user_id")  # the page follows, the forecast too
    expect(page.locator("#c8")).to_have_value("name")
    expect(page.locator(".import-forecast strong")).to_have_count(1)
