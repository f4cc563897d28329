"""Coming in, and what the frame shows to whom."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from regulars import console

TABLES = re.compile(r"table-responsive(.*?)<table", re.DOTALL)
PASSWORD = "correct horse battery"


def test_who_is_not_logged_in_is_asked_to_and_then_comes_where_they_wanted(people: dict[str, Any]) -> None:
    client = Client()
    asked = client.get("/me?x=1")
    assert asked.status_code == 302
    assert asked["Location"] == "/login?next=/me%3Fx%3D1"
    answer = client.post("/login", {"email": "Agent@Example.com", "password": PASSWORD, "next": "/me?x=1"})
    assert answer["Location"] == "/me?x=1"
    assert client.get("/me").status_code == 200


@pytest.mark.django_db
def test_on_a_fresh_folder_the_login_says_how_to_add_oneself_and_never_again() -> None:
    from regulars.accounts.actors import SYSTEM
    from regulars.accounts.services import add_staff

    client = Client(headers={"Accept-Language": "en"})
    assert "user add you@example.com" in client.get("/login").content.decode()
    add_staff(email="me@example.com", name="Me", role="admin", password=PASSWORD, by=SYSTEM)
    assert "user add" not in client.get("/login").content.decode()


def test_login_leads_nowhere_outside(people: dict[str, Any]) -> None:
    answer = Client().post("/login", {"email": "agent@example.com", "password": PASSWORD, "next": "//evil.example/"})
    assert answer["Location"] == "/"


def test_a_wrong_password_and_an_unknown_address_are_told_the_same(people: dict[str, Any]) -> None:
    said = [
        Client(headers={"Accept-Language": "en"}).post("/login", {"email": email, "password": "wrong"})
        for email in ("agent@example.com", "nobody@example.com")
    ]
    assert [answer.status_code for answer in said] == [422, 422]
    assert all("E-mail and password don&#x27;t belong together." in answer.content.decode() for answer in said)


def test_the_ninth_failure_has_to_wait_even_with_the_right_password(people: dict[str, Any]) -> None:
    client = Client(headers={"Accept-Language": "zh"})
    for _ in range(8):
        assert client.post("/login", {"email": "agent@example.com", "password": "wrong"}).status_code == 422
    answer = client.post("/login", {"email": "agent@example.com", "password": PASSWORD})
    assert answer.status_code == 429
    assert "尝试次数过多" in answer.content.decode()
    other = client.post("/login", {"email": "admin@example.com", "password": PASSWORD})
    assert other.status_code == 302


def test_somebody_made_inactive_is_out_at_once(people: dict[str, Any], actors: dict[str, Any]) -> None:
    from regulars.accounts.services import change_staff

    client = Client()
    client.force_login(people["agent"])
    assert client.get("/me").status_code == 200
    change_staff(id=people["agent"].pk, active=False, by=actors["admin"])
    assert client.get("/me").status_code == 302


def test_every_table_that_may_scroll_can_be_reached_by_keyboard_and_has_a_name() -> None:
    folder = Path(console.__file__).parent / "templates"
    found = [(path.name, tag) for path in folder.rglob("*.html") for tag in TABLES.findall(path.read_text())]
    assert len(found) > 30
    assert [one for one in found if 'tabindex="0" role="region" aria-label="{' not in one[1]] == []


def test_the_language_is_the_browsers_until_one_is_chosen(people: dict[str, Any]) -> None:
    client = Client(headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert '<html lang="zh-Hans"' in client.get("/login").content.decode()
    client.post(reverse("frame:language"), {"language": "en", "next": "/login"})
    page = client.get("/login")
    assert '<html lang="en"' in page.content.decode()
    assert page["Content-Language"] == "en"


def test_no_page_runs_a_script_of_somebody_else(people: dict[str, Any]) -> None:
    policy = Client().get("/login")["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "script" not in policy


@pytest.mark.parametrize("address", ["/nothing/here", "/customers/999999"])
def test_an_address_without_anything_says_so(people: dict[str, Any], address: str) -> None:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(people["admin"])
    answer = client.get(address)
    assert answer.status_code == 404
    assert "Nothing here" in answer.content.decode()


def test_a_new_password_needs_the_present_one(people: dict[str, Any]) -> None:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(people["agent"])
    wrong = client.post("/me", {"present": "guess", "password": "a long and new one"})
    assert wrong.status_code == 422
    assert 'id="fault-present"' in wrong.content.decode()
    assert client.post("/me", {"present": PASSWORD, "password": "a long and new one"}).status_code == 302
    assert client.get("/me").status_code == 200
    assert Client().post("/login", {"email": "agent@example.com", "password": "a long and new one"}).status_code == 302
