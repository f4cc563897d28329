"""At the login: where it leads, what it gives away, and what a stolen session is worth."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.cache import cache
from django.test import Client

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _no_attempts_yet() -> None:
    cache.clear()


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example",
        "http:evil.example", "https:///evil.example", "javascript:alert(1)", " //evil.example", "\t//evil.example",
        "/\t/evil.example", "http://testserver@evil.example", "http://testserver.evil.example",
    ],
)  # fmt: skip
def test_login_leads_to_pages_of_this_site_only(wanted: str, people: dict[str, Any]) -> None:
    given = {"email": "agent@example.com", "password": PASSWORD}
    assert Client().post("/login", given | {"next": wanted})["Location"] == "/"
    assert Client().post("/login", given, query_params={"next": wanted})["Location"] == "/"
    inside = Client()
    inside.force_login(people["agent"])
    assert inside.get("/login", {"next": wanted})["Location"] == "/"
    assert inside.post("/language", {"language": "en", "next": wanted})["Location"] == "/"


def test_a_session_known_before_the_login_is_worth_nothing_after_it(people: dict[str, Any]) -> None:
    client = Client()
    session = client.session
    session["planted"] = "by somebody"
    session.save()
    planted = session.session_key
    client.cookies["regulars_session"] = planted
    client.post("/login", {"email": "agent@example.com", "password": PASSWORD})
    assert client.cookies["regulars_session"].value != planted
    thief = Client()
    thief.cookies["regulars_session"] = planted
    assert thief.get("/me").status_code == 302


def test_a_session_ends_with_logging_out_and_with_a_new_password(people: dict[str, Any]) -> None:
    from regulars.accounts.actors import SYSTEM
    from regulars.accounts.services import set_password

    here, there = Client(), Client()
    for client in (here, there):
        client.post("/login", {"email": "agent@example.com", "password": PASSWORD})
    stolen = Client()
    stolen.cookies["regulars_session"] = here.cookies["regulars_session"].value
    assert stolen.get("/me").status_code == 200
    here.post("/logout")
    assert stolen.get("/me").status_code == 302
    assert there.get("/me").status_code == 200
    set_password(id=people["agent"].pk, password="another long one", by=SYSTEM)
    assert there.get("/me").status_code == 302


def test_the_cookie_of_the_session_is_not_for_scripts_or_other_sites(people: dict[str, Any]) -> None:
    client = Client()
    client.post("/login", {"email": "agent@example.com", "password": PASSWORD})
    cookie = client.cookies["regulars_session"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax"


@pytest.mark.parametrize("email", ["agent@example.com", "nobody@example.com", "left@example.com", "", "a" * 5000])
def test_a_wrong_login_costs_one_hash_whoever_it_is(
    email: str, people: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from regulars.accounts.actors import SYSTEM
    from regulars.accounts.services import add_staff, change_staff

    left = add_staff(email="left@example.com", name="Left", role="agent", password=PASSWORD, by=SYSTEM)
    change_staff(id=left.pk, active=False, by=SYSTEM)
    hashed: list[str] = []

    def counting(name: str) -> Callable[..., Any]:
        real = getattr(Argon2PasswordHasher, name)

        def count(self: Any, *args: Any, **options: Any) -> Any:
            hashed.append(name)
            return real(self, *args, **options)

        return count

    for name in ("encode", "verify"):
        monkeypatch.setattr(Argon2PasswordHasher, name, counting(name))
    answer = Client(headers={"Accept-Language": "en"}).post("/login", {"email": email, "password": "wrong"})
    assert answer.status_code == 422
    assert len(hashed) == 1
    assert "belong together" in answer.content.decode()


def test_somebody_who_left_is_told_the_same_with_the_right_password(people: dict[str, Any]) -> None:
    from regulars.accounts.actors import SYSTEM
    from regulars.accounts.services import change_staff

    change_staff(id=people["agent"].pk, active=False, by=SYSTEM)
    said = [
        Client().post("/login", {"email": "agent@example.com", "password": password})
        for password in (PASSWORD, "wrong")
    ]
    assert said[0].status_code == said[1].status_code == 422
