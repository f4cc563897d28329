from typing import Any

import pytest

from regulars.accounts import queries, services
from regulars.accounts.actors import SYSTEM, Actor
from regulars.accounts.models import AuditEntry
from regulars.kernel.errors import Conflict, Forbidden, Invalid

pytestmark = pytest.mark.django_db
GOOD = "correct horse battery"


def test_an_admin_adds_a_person_and_the_trail_says_so(actors: dict[str, Actor]) -> None:
    person = services.add_staff(email=" Li@Example.com ", name="李", role="agent", password=GOOD, by=actors["admin"])
    assert (person.email, person.check_password(GOOD)) == ("li@example.com", True)
    assert person.password.startswith("argon2")
    entry = AuditEntry.objects.latest("id")
    assert (entry.actor, entry.action, entry.object_id) == (actors["admin"].ref, "Staff Added", str(person.pk))
    assert GOOD not in str(entry.details)


@pytest.mark.parametrize("role", ["manager", "marketer", "agent", "store", "analyst"])
def test_nobody_but_an_admin_adds_people(actors: dict[str, Actor], role: str) -> None:
    with pytest.raises(Forbidden):
        services.add_staff(email="x@example.com", name="X", role="agent", password=GOOD, by=actors[role])


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"email": "nobody"}, "email"), ({"name": " "}, "name"), ({"role": "king"}, "role"), ({"password": "short"}, "password"), ({"password": "password1234"}, "password")],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_field(db: None, changed: dict[str, str], field: str) -> None:
    given: dict[str, Any] = {"email": "a@example.com", "name": "A", "role": "agent", "password": GOOD} | changed
    with pytest.raises(Invalid) as problem:
        services.add_staff(**given, by=SYSTEM)
    assert problem.value.field == field


def test_an_address_belongs_to_one_person(people: dict[str, Any]) -> None:
    with pytest.raises(Conflict):
        services.add_staff(email="ADMIN@example.com", name="A", role="agent", password=GOOD, by=SYSTEM)


def test_the_last_admin_stays_an_admin(people: dict[str, Any], actors: dict[str, Actor]) -> None:
    with pytest.raises(Conflict):
        services.change_staff(id=people["admin"].pk, role="agent", by=actors["admin"])
    services.change_staff(id=people["agent"].pk, role="admin", by=actors["admin"])
    services.change_staff(id=people["admin"].pk, active=False, by=actors["admin"])
    assert [s.pk for s in queries.staff() if s.is_active and s.role == "admin"] == [people["agent"].pk]


def test_everybody_sets_their_own_password_and_nobody_elses(people: dict[str, Any], actors: dict[str, Actor]) -> None:
    services.set_password(id=people["store"].pk, password="another good one", by=actors["store"])
    with pytest.raises(Forbidden):
        services.set_password(id=people["agent"].pk, password="another good one", by=actors["store"])
