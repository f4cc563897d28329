"""At the login: where it leads, what it gives away, and what a stolen session is worth."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection
from django.test import Client

from regulars.accounts import attempts
from regulars.accounts.models import LoginCount
from regulars.kernel import clock

PASSWORD = "correct horse battery"


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


def test_attempts_are_counted_for_all_processes_and_end_after_a_quarter_of_an_hour(people: dict[str, Any]) -> None:
    from django.core.cache import cache

    now = clock.now()
    right, wrong = ({"email": "agent@example.com", "password": word} for word in (PASSWORD, "wrong"))
    with clock.frozen(now):
        for _ in range(attempts.LIMIT_OF_PAIR):
            assert Client().post("/login", wrong).status_code == 422
            cache.clear()  # another process, or this one after a restart
        for given in (wrong, right):
            assert Client().post("/login", given).status_code == 429
        elsewhere = Client(REMOTE_ADDR="192.0.2.7").post("/login", right)
        assert elsewhere.status_code == 302
    with clock.frozen(now + attempts.WINDOW):
        assert Client().post("/login", right).status_code == 302
        assert attempts.forget() == 1  # elsewhere's; the place's and the account's have begun again
    with clock.frozen(now + 2 * attempts.WINDOW):
        assert attempts.forget() == 2
        assert LoginCount.objects.count() == 0


def test_a_success_is_not_held_against_anybody(people: dict[str, Any]) -> None:
    for _ in range(3):
        assert Client().post("/login", {"email": "agent@example.com", "password": PASSWORD}).status_code == 302
    assert set(LoginCount.objects.values_list("count", flat=True)) == {0}


@pytest.mark.django_db(transaction=True)
def test_many_at_once_dont_pass_together() -> None:
    def one(_: int) -> bool:
        try:
            attempts.begin(email="agent@example.com", address="192.0.2.7")
            return True
        except attempts.TooMany:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(20))) == attempts.LIMIT_OF_PAIR
