"""Identities that many people use: shown, decided, and the decision taken back."""

from typing import Any

import pytest
from django.test import Client

from regulars.customers import memory, queries
from regulars.customers.models import Identity
from regulars.customers.services import Claim, resolve
from regulars.kernel import clock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("home")]


@pytest.fixture
def family(people: dict[str, Any]) -> int:
    """One phone with six member cards: the identity's id."""
    memory.forget()
    for n in range(6):
        resolve([Claim((("member_card", f"CARD-{n}"), ("phone", "13800138000")), {"name": f"Card {n}"}, clock.now())])
    (row,) = queries.shared_identities()
    return row.id


def _text(answer: Any) -> str:
    return str(answer.content.decode())


def test_what_is_shared_is_shown_with_whom_it_came(as_role: Any, family: int) -> None:
    agent: Client = as_role("agent")
    assert 'href="/customers/shared"' in _text(agent.get("/customers"))
    page = _text(agent.get("/customers/shared"))
    assert "Who uses this together?" in page
    assert "came with at least 6 × Member card" in page  # it is counted until it decides nothing
    assert "13800138000" not in page
    assert "Card 4" in page  # the five before were taken for one person
    assert "哪些标识是多人共用的？" in _text(as_role("agent", "zh-CN").get("/customers/shared"))


@pytest.mark.parametrize("shared", ["1", "0"])
def test_it_is_settled_and_the_decision_taken_back(as_role: Any, family: int, shared: str) -> None:
    agent: Client = as_role("agent")
    before = Identity.objects.filter(id=family).values().get()
    done = _text(agent.post(f"/customers/shared/{family}/settle", {"shared": shared}, follow=True))
    assert "Nothing to decide" in done
    assert f'action="/customers/shared/{family}/again"' in done
    assert 'href="/customers/shared"' not in _text(agent.get("/customers"))
    record = Identity.objects.get(id=family).customer_id
    (row,) = [row for row in queries.identities(record) if row.id == family]
    assert (row.shared, row.settled) == (shared == "1", True)
    assert "It is in the list again." in _text(agent.post(f"/customers/shared/{family}/again", follow=True))
    assert [row.id for row in queries.shared_identities()] == [family]
    assert Identity.objects.filter(id=family).values().get() == before, "as if nobody had said anything"
    assert agent.post(f"/customers/shared/{family}/again").status_code == 404


def test_who_may_not_merge_may_not_decide(as_role: Any, family: int) -> None:
    analyst: Client = as_role("analyst")
    assert analyst.get("/customers/shared").status_code == 403
    assert analyst.post(f"/customers/shared/{family}/settle", {"shared": "1"}).status_code == 403
    assert 'href="/customers/shared"' not in _text(analyst.get("/customers"))


def test_what_was_never_flagged_cant_be_settled(as_role: Any, family: int) -> None:
    agent: Client = as_role("agent")
    other = Identity.objects.filter(kind="member_card", shared=False).order_by("id").first()
    assert other is not None
    chinese: Client = as_role("agent", "zh-CN")
    for said, where in (("never noticed as shared", agent), ("从未被识别为多人共用", chinese)):
        answer = where.post(f"/customers/shared/{other.pk}/settle", {"shared": "0"})
        assert (answer.status_code, said in _text(answer)) == (409, True)
    assert agent.post("/customers/shared/999999/settle", {"shared": "0"}).status_code == 404
    other.refresh_from_db()
    assert (other.shared, other.settled) == (False, False)


def test_merges_that_rest_on_it_are_undone_where_it_is_shown(as_role: Any, people: dict[str, Any]) -> None:
    memory.forget()
    first, *others = (
        resolve([Claim((("phone", f"1380013800{n}"),), {"name": f"Phone {n}"}, clock.now())])[0] for n in range(7)
    )
    for n in range(7):  # everybody gives the till's address: the first five become one before it is noticed
        resolve([Claim((("phone", f"1380013800{n}"), ("email", "till@example.com")), {}, clock.now())])
    (row,) = queries.shared_identities()
    assert [one.kind for one in row.merges] == ["email"] * 4
    agent: Client = as_role("agent")
    page = _text(agent.get("/customers/shared"))
    assert "Merged along with it: 4" in page
    assert "随它一并合并：4" in _text(as_role("agent", "zh-CN").get("/customers/shared"))
    for one in row.merges:
        assert f'action="/customers/merges/{one.id}/undo"' in page
        done = agent.post(f"/customers/merges/{one.id}/undo", {"next": "/customers/shared"}, follow=True)
        assert "They are two customers again." in _text(done) and "Who uses this together?" in _text(done)
    assert len(queries.by_ids([first, *others])) == 7
    assert len({queries.root_of(id) for id in [first, *others]}) == 7
    (row,) = queries.shared_identities()
    assert row.merges == []
