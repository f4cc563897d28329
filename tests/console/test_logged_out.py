"""A session that ends while somebody writes: nothing typed is lost, and what was sent goes through after a login."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from regulars.customers import queries
from tests.console.conftest import PASSWORD

HTMX = {"HX-Request": "true"}


def test_without_scripts_the_login_says_so_and_leads_to_the_page_of_the_form(people: dict[str, Any]) -> None:
    client = Client(headers={"Accept-Language": "en"})
    sent = client.post("/customers/991/profile", headers={"Referer": "http://testserver/customers/991?kind=orders"})
    assert sent["Location"] == "/login?next=%2Fcustomers%2F991%3Fkind%3Dorders&ended=1"
    assert "nothing was saved" in client.get(sent["Location"]).content.decode()
    wrong = {"email": "agent@example.com", "password": "wrong", "next": "/customers/991", "ended": "1"}
    assert "nothing was saved" in client.post("/login", wrong).content.decode()
    assert "nothing was saved" not in client.get("/login").content.decode()


@pytest.mark.parametrize(
    "referer", ["", "https://evil.example/customers", "http://testserver.evil.example/", "http://["]
)
def test_only_a_page_of_this_site_is_led_back_to(referer: str, people: dict[str, Any]) -> None:
    sent = Client().post("/customers/991/profile", headers={"Referer": referer})
    assert sent["Location"] == "/login?next=%2F&ended=1"


def test_a_page_asks_whether_it_may_send_and_gets_the_token_for_its_forms(people: dict[str, Any]) -> None:
    client = Client(headers={"Accept-Language": "en"}, enforce_csrf_checks=True)
    asked = client.get("/session")
    assert asked.status_code == 401
    assert client.get("/customers", headers=HTMX).status_code == 401
    given = {"email": "agent@example.com", "password": "wrong"}
    headers = HTMX | {"X-CSRFToken": asked.json()["token"]}
    wrong = client.post("/login", given, headers=headers)
    assert (wrong.status_code, wrong.content.decode()) == (422, "E-mail and password don't belong together. Try again.")
    assert client.post("/login", given | {"password": PASSWORD}, headers=headers).status_code == 204
    stale = client.post("/me", headers=headers)
    assert (stale.status_code, stale["Regulars-Token"]) == (403, "stale")
    renewed = client.get("/session")
    assert (renewed.status_code, renewed["Cache-Control"][:9]) == (200, "max-age=0")
    assert client.post("/me", headers=HTMX | {"X-CSRFToken": renewed.json()["token"]}).status_code == 422


def test_an_address_that_only_takes_forms_says_so(people: dict[str, Any]) -> None:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(people["admin"])
    answer = client.get("/customers/1/profile")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "This address takes what a form sends" in answer.content.decode()
    assert client.get("/customers/1/profile", headers=HTMX).status_code == 405


def _log_in_again(page: Page, password: str = PASSWORD) -> None:
    page.fill("#again-password", password)
    page.keyboard.press("Enter")


@pytest.mark.browser
def test_a_profile_and_a_note_half_written_survive_the_end_of_the_session(
    visit: Callable[..., Page], town: dict[str, int]
) -> None:
    page = visit("agent")
    page.goto(f"/customers/{town['rain']}")
    page.locator("[data-open=edit]").click()
    page.fill("#profile-city", "苏州")
    page.context.clear_cookies(name="regulars_session")
    page.locator("#edit button.btn-primary").click()
    expect(page.locator("#log-in-again")).to_be_visible()
    _log_in_again(page, "wrong")
    expect(page.locator("#fault-again")).to_have_text("E-mail and password don't belong together. Try again.")
    page.locator("#log-in-again [data-close]").click()
    expect(page.locator("#profile-city")).to_have_value("苏州")
    page.locator("#edit button.btn-primary").click()
    _log_in_again(page)
    expect(page.locator(".toast-text")).to_have_text("The profile is changed.")
    assert queries.get(town["rain"]).fields["city"] == "苏州"

    page.context.clear_cookies()  # the token goes too
    page.fill("[name=text]", "Likes rain")
    page.locator(".note-form button").click()
    expect(page.locator("#log-in-again")).to_be_visible()
    expect(page.locator("[name=text]")).to_have_value("Likes rain")
    _log_in_again(page)
    expect(page.locator(".note-text")).to_have_text("Likes rain")


@pytest.mark.browser
def test_a_login_in_another_tab_lets_the_old_page_go_on(visit: Callable[..., Page], town: dict[str, int]) -> None:
    page = visit("agent")
    page.goto(f"/customers/{town['rain']}")
    page.context.clear_cookies()
    other = page.context.new_page()
    other.goto("/login")
    other.fill("#email", "agent@example.com")
    other.fill("#password", PASSWORD)
    other.keyboard.press("Enter")
    other.wait_for_url(lambda url: "/login" not in url)
    page.fill("[name=text]", "Likes sun")
    page.locator(".note-form button").click()
    expect(page.locator(".note-text")).to_have_text("Likes sun")
    page.locator("[data-open=edit]").click()
    page.fill("#profile-city", "杭州")
    page.locator("#edit button.btn-primary").click()
    expect(page.get_by_text("The profile is changed.")).to_be_visible()
