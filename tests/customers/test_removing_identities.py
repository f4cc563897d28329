"""An identity added by hand or in a file is taken away and put back; one that came with events stays."""

from collections.abc import Callable
from typing import Any

import pytest

from regulars.accounts.queries import audit
from regulars.customers import queries
from regulars.customers.models import Identity, Removed
from regulars.customers.queries import records_after
from regulars.customers.services import (
    CustomerRow,
    add_identity,
    erase,
    import_customers,
    merge,
    remove_identity,
    resolve,
    restore_identity,
    unmerge,
)
from regulars.customers.services.resolve import Claim
from regulars.eventlog import dispatch
from regulars.eventlog.queries import recent
from regulars.kernel.errors import Conflict, Forbidden, NotFound
from regulars.warehouse import engine, feed, refresh
from regulars.warehouse.queries import customers as people
from regulars.warehouse.queries import snapshot
from tests.customers.conftest import MONDAY

Comes = Callable[..., int]
PHONE = "+8613812345678"


def _added(customer: int, kind: str, value: str, by: Any) -> int:
    made = add_identity(customer_id=customer, kind=kind, value=value, by=by)
    assert made is not None
    return made


@pytest.mark.django_db(transaction=True)
def test_what_was_removed_leads_nowhere_until_it_is_put_back(actors: dict[str, Any]) -> None:
    by = actors["agent"]
    (customer,) = resolve([Claim((("user_id", "u1"),), {}, MONDAY)])
    assert customer is not None
    made = _added(customer, "phone", PHONE, by)
    assert resolve([Claim((("phone", PHONE),), {}, MONDAY)]) == [customer]  # remembered from now on
    before = queries.identities(customer)
    gone = remove_identity(identity_id=made, by=by)
    assert (gone.customer_id, gone.kind, gone.merged) == (customer, "phone", False)
    assert [row.kind for row in queries.identities(customer)] == ["user_id"]
    (taken,) = queries.removed_identities(customer)
    assert (taken.removal, taken.masked, taken.by) == (gone.removal, "138****5678", by.ref)
    assert audit(limit=1)[0].details == {"kind": "phone"}
    assert restore_identity(removal=gone.removal, by=by) == customer
    assert queries.identities(customer) == before and queries.removed_identities(customer) == []
    with pytest.raises(NotFound):
        restore_identity(removal=gone.removal, by=by)
    again = remove_identity(identity_id=made, by=by)
    (other,) = resolve([Claim((("phone", PHONE),), {}, MONDAY)])
    assert other != customer
    with pytest.raises(Conflict, match="identity_taken"):
        restore_identity(removal=again.removal, by=by)


def test_it_goes_back_to_the_record_it_was_of(comes: Comes, actors: dict[str, Any]) -> None:
    first, second, by = comes("user_id=u1"), comes("user_id=u2"), actors["manager"]
    made = _added(second, "phone", PHONE, by)
    one = merge(source=second, target=first, by=by)
    gone = remove_identity(identity_id=made, customer_id=first, by=by)
    assert restore_identity(removal=gone.removal, by=by) == first
    unmerge(merge_id=one, by=by)
    assert [row.kind for row in queries.identities(second)] == ["user_id", "phone"]
    assert [(row.name, row.properties) for row in recent(limit=20) if row.name.startswith("Identity")] == [
        ("Identity Added", {"kind": "phone"}), ("Identity Removed", {"kind": "phone"}),
        ("Identity Added", {"kind": "phone"}),
    ]  # fmt: skip


def test_a_merge_that_rests_on_it_stays_and_that_is_said(comes: Comes, actors: dict[str, Any]) -> None:
    first, by = comes("user_id=u1"), actors["agent"]
    made = _added(first, "phone", PHONE, by)
    second = comes("anonymous_id=a1")
    comes(f"anonymous_id=a1 phone={PHONE}")
    assert queries.root_of(second) == first
    rests_on = {row.kind for row in queries.merges(first)}
    gone = remove_identity(identity_id=made, by=by)
    assert gone.merged == (rests_on == {"phone"})
    assert queries.root_of(second) == first


def test_imported_ones_may_be_removed_and_those_of_events_not(comes: Comes, actors: dict[str, Any]) -> None:
    customer, by = comes("user_id=u1 email=li@example.com"), actors["manager"]
    import_customers([CustomerRow((("user_id", "u1"), ("member_card", "C7")), {}, (), ())], actors["admin"])
    rows = {row.kind: row for row in queries.identities(customer)}
    assert {kind for kind, row in rows.items() if row.removable} == {"member_card"}
    remove_identity(identity_id=rows["member_card"].id, by=by)
    with pytest.raises(Conflict, match="came_with_events"):
        remove_identity(identity_id=rows["email"].id, by=by)
    with pytest.raises(NotFound):
        remove_identity(identity_id=rows["email"].id, customer_id=comes("user_id=u2"), by=by)
    with pytest.raises(NotFound):
        remove_identity(identity_id=0, by=by)
    for role in ("analyst",):
        with pytest.raises(Forbidden):
            remove_identity(identity_id=rows["email"].id, by=actors[role])
        with pytest.raises(Forbidden):
            restore_identity(removal="x", by=actors[role])


def test_an_erased_persons_removed_identity_is_gone_for_good(comes: Comes, actors: dict[str, Any]) -> None:
    customer = comes("user_id=u1")
    gone = remove_identity(identity_id=_added(customer, "phone", PHONE, actors["agent"]), by=actors["agent"])
    erase(customer_id=customer, by=actors["admin"])
    assert not Removed.objects.exists() and not Identity.objects.exists()
    with pytest.raises(NotFound):
        restore_identity(removal=gone.removal, by=actors["agent"])


def test_who_has_no_identity_left_that_names_a_person_is_known_no_more(
    comes: Comes, actors: dict[str, Any], home: Any
) -> None:
    by, visitor = actors["manager"], comes("anonymous_id=a1")

    def known() -> tuple[bool, list[int], bool, list[int]]:
        """On the page, in the API's list, in the warehouse's records and in its list of people."""
        dispatch.number()
        feed.catch_up()
        refresh.full()
        (told,) = engine.read("SELECT bool_or(known) FROM records WHERE customer_id = ?", [visitor])
        listed = people.page(snapshot(), filters=people.Filters(known=True), limit=9).rows
        card = queries.get(visitor)
        return card.known, [one.id for one in queries.page(known=True)], told[0], [row.customer_id for row in listed]

    phone, email = _added(visitor, "phone", PHONE, by), _added(visitor, "email", "li@example.com", by)
    assert known() == (True, [visitor], True, [visitor])
    first = remove_identity(identity_id=phone, by=by)
    assert known() == (True, [visitor], True, [visitor])
    last = remove_identity(identity_id=email, by=by)
    assert known() == (False, [], False, [])
    restore_identity(removal=first.removal, by=by)
    assert known() == (True, [visitor], True, [visitor])
    remove_identity(identity_id=phone, by=by)
    restore_identity(removal=last.removal, by=by)
    remove_identity(identity_id=email, by=by)  # and all that in one batch
    assert known() == (False, [], False, [])
    assert [row.known for row in records_after(0)] == [False]
    comes("anonymous_id=a1 user_id=u1", minutes=5)  # what comes with events makes known again
    assert queries.get(visitor).known
    engine.close()
