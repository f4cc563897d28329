"""Profile fields by hand: traced, undoable, checked; customers and identities added by hand."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from regulars.customers import display, queries
from regulars.customers.models import Customer
from regulars.customers.services import (
    Claim,
    Contested,
    CustomerRow,
    add_customer,
    add_identity,
    import_customers,
    resolve,
    save_store,
    tag,
    undo_profile_change,
    update_profile,
)
from regulars.eventlog.queries import recent
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Outdated, Problem

Comes = Callable[..., int]


def test_a_change_is_traced_and_can_be_undone(comes: Comes, actors: dict[str, Any]) -> None:
    by = actors["agent"]
    record = comes("user_id=u1", name="Wang", plan="gold")
    before = queries.get(record)
    change = update_profile(
        customer_id=record, fields={"name": "王伟", "birthday": "1990-05-31", "plan": None, "vip": True}, by=by
    )
    after = queries.get(record)
    assert (after.fields["name"], after.fields["birthday"]) == ("王伟", date(1990, 5, 31))
    assert after.custom == {"vip": True}
    event = recent()[0]
    assert (event.name, event.properties) == ("Profile Updated", {"fields": ["birthday", "name", "plan", "vip"]})
    (row,) = queries.profile_changes(record)
    assert row.fields["name"] == ("Wang", "王伟") and row.by == by.ref
    assert change is not None
    undo_profile_change(change_id=change, by=by)
    assert queries.get(record) == before
    assert queries.profile_changes(record)[0].undone and not queries.profile_changes(record)[0].undoable
    with pytest.raises(Conflict, match="undone"):
        undo_profile_change(change_id=change, by=by)


def test_undoing_is_refused_when_it_was_changed_again(comes: Comes, actors: dict[str, Any]) -> None:
    record = comes("user_id=u1")
    first = update_profile(customer_id=record, fields={"name": "A"}, by=actors["agent"])
    update_profile(customer_id=record, fields={"name": "B"}, by=actors["agent"])
    assert first is not None
    with pytest.raises(Conflict, match="changed_since"):
        undo_profile_change(change_id=first, by=actors["agent"])
    assert queries.get(record).fields["name"] == "B"
    assert [row.undoable for row in queries.profile_changes(record)] == [True, False]
    latest = queries.profile_changes(record)[0].id
    assert [row.id for row in queries.profile_changes(record, before=latest)] == [first]


def test_what_a_person_writes_beats_an_event_from_a_clock_that_goes_ahead(comes: Comes, actors: dict[str, Any]) -> None:
    record = comes("user_id=u1", 10**7, name="From the future")
    update_profile(customer_id=record, fields={"name": "Wang"}, by=actors["agent"])
    assert queries.get(record).fields["name"] == "Wang"


def test_saying_what_stands_already_changes_nothing(comes: Comes, actors: dict[str, Any]) -> None:
    record = comes("user_id=u1", name="Wang")
    assert update_profile(customer_id=record, fields={"name": " Wang ", "city": ""}, by=actors["agent"]) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("birthday", "31.5."),
        ("birthday", "1800-01-01"),
        ("gender", "x"),
        ("name", "x" * 201),
        ("", "x"),
        ("language", "klingon!!"),
        ("language", "qq-QQ"),
        ("language", "zh-QQ"),
        ("language", "en-"),
        ("language", "und"),
    ],
)
def test_a_value_that_cant_be_is_refused_at_its_field(
    comes: Comes, actors: dict[str, Any], field: str, value: str
) -> None:
    with pytest.raises(Invalid) as problem:
        update_profile(customer_id=comes("user_id=u1"), fields={field: value}, by=actors["agent"])
    assert problem.value.field == field


def test_nobody_is_born_after_today_as_the_business_has_it(actors: dict[str, Any]) -> None:
    by, shanghai_eve = actors["admin"], datetime(2026, 6, 30, 15, 59, tzinfo=UTC)  # 23:59 in Shanghai
    traits = {"birthday": "2026-07-01", "dateOfBirth": "2026-07-01", "city": "杭州"}
    claim = Claim((("user_id", "u1"),), traits, shanghai_eve)
    row = CustomerRow((("user_id", "u2"),), {"birthday": "2026-07-01", "city": "杭州"})
    with clock.frozen(shanghai_eve):
        [one], [other] = resolve([claim]), import_customers([row], by)
        assert one is not None and other.customer_id is not None
        assert [problem.field for problem in other.problems] == ["birthday"]
        for id in (one, other.customer_id):  # the rest of an identify or a row is taken
            assert (queries.get(id).fields["birthday"], queries.get(id).fields["city"]) == (None, "杭州")
        with pytest.raises(Invalid, match="in the future"):
            update_profile(customer_id=one, fields={"birthday": "2026-07-01"}, by=by)
        with pytest.raises(Invalid) as fault:
            add_customer(identities=[("user_id", "u3")], fields={"birthday": "2026-07-01"}, by=by)
        assert fault.value.at("birthday")
        update_profile(customer_id=one, fields={"birthday": "2026-06-30"}, by=by)
    with clock.frozen(shanghai_eve + timedelta(minutes=1)):
        update_profile(customer_id=one, fields={"birthday": "2026-07-01"}, by=by)
        assert queries.get(one).fields["birthday"] == date(2026, 7, 1)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("zh_CN", "zh-CN"), ("ZH-hans-cn", "zh-Hans-CN"), ("EN", "en"), ("en-us-posix", "en-US-posix"), ("tlh", "tlh"),
     ("zh-yue-HK", "zh-yue-HK"), ("es-419", "es-419"), ("de-u-co-phonebk", "de-u-co-phonebk")],
)  # fmt: skip
def test_a_language_is_kept_as_one_tag(comes: Comes, given: str, kept: str) -> None:
    assert queries.get(comes("user_id=u1", locale=given)).fields["language"] == kept
    assert queries.get(comes("user_id=u2", locale="klingon!!", city="x")).fields["language"] is None


def test_what_was_kept_before_the_rule_stays_until_somebody_changes_it(comes: Comes, actors: dict[str, Any]) -> None:
    record = comes("user_id=u1")
    facts = {"language": ["klingon!!", 1], "birthday": ["2099-01-01", 1]}
    Customer.objects.filter(id=record).update(facts=facts)
    display.refresh([record])
    seen = {"language": "klingon!!", "birthday": "2099-01-01", "city": ""}
    update_profile(customer_id=record, fields=seen | {"city": "杭州"}, seen=seen, by=actors["agent"])
    assert [queries.get(record).fields[name] for name in ("language", "city")] == ["klingon!!", "杭州"]


def test_identities_are_added_to_one_customer_only(comes: Comes, actors: dict[str, Any]) -> None:
    by = actors["agent"]
    one, other = comes("anonymous_id=a1"), comes("user_id=u2 email=li@example.com")
    add_identity(customer_id=one, kind="phone", value="138 1234 5678", by=by)
    add_identity(customer_id=one, kind="phone", value="13812345678", by=by)
    assert queries.get(one).known
    assert [row.masked for row in queries.identities(one)] == ["138****5678", "***1"]
    with pytest.raises(Conflict, match="identity_taken"):
        add_identity(customer_id=one, kind="email", value="LI@example.com", by=by)
    with pytest.raises(Conflict, match="user_id"):
        add_identity(customer_id=other, kind="user_id", value="u3", by=by)
    with pytest.raises(Invalid):
        add_identity(customer_id=one, kind="email", value="li@", by=by)


def test_a_customer_is_added_by_hand_once(comes: Comes, actors: dict[str, Any]) -> None:
    by = actors["agent"]
    id = add_customer(identities=[("phone", "13812345678")], fields={"name": "Li", "home_store": "hz-1"}, by=by)
    save_store(code="hz-1", name="West Lake", by=actors["admin"])
    assert queries.get(id).card.home_store == "West Lake"
    assert queries.stores() == [("hz-1", "West Lake")]
    with pytest.raises(Conflict):
        add_customer(identities=[("phone", "+86 13812345678")], fields={}, by=by)
    with pytest.raises(Invalid):
        add_customer(identities=[], fields={"name": "Li"}, by=by)
    with pytest.raises(NotFound):
        update_profile(customer_id=10**9, fields={"name": "x"}, by=by)


def test_store_staff_and_analysts_may_not_change_profiles(comes: Comes, actors: dict[str, Any]) -> None:
    for role in ("store", "analyst"):
        with pytest.raises(Forbidden):
            update_profile(customer_id=comes("user_id=u1"), fields={"name": "x"}, by=actors[role])


def test_two_who_edit_one_profile_keep_what_only_one_changed_and_see_what_both_did(
    comes: Comes, actors: dict[str, Any]
) -> None:
    record = comes("user_id=u1", name="Wang", city="杭州", language="zh")
    seen = {"name": "Wang", "city": "杭州", "language": "zh", "birthday": ""}
    first, second = actors["agent"], actors["manager"]
    update_profile(customer_id=record, fields=seen | {"city": "苏州", "language": "en"}, seen=seen, by=first)
    mine = seen | {"name": "王伟", "birthday": "1990-05-31"}
    assert update_profile(customer_id=record, fields=mine, seen=seen, by=second)
    kept = queries.get(record).fields
    assert (kept["name"], kept["city"], kept["language"]) == ("王伟", "苏州", "en")

    with pytest.raises(Contested) as both:  # the city is contested, what both made the same isn't; nothing is saved
        mine = seen | {"city": "南京", "language": "en", "name": "Wang Wei"}
        update_profile(customer_id=record, fields=mine, seen=seen | {"name": "王伟"}, by=second)
    (city,) = both.value.fields.items()
    assert (city[0], city[1].value, city[1].by) == ("city", "苏州", first.ref)
    assert city[1].at == queries.profile_changes(record)[-1].at
    assert queries.get(record).fields == kept
    update_profile(customer_id=record, fields={"city": "南京"}, seen={"city": "苏州"}, by=second)  # knowingly
    assert queries.get(record).fields["city"] == "南京"


def test_who_cleared_a_field_is_told_and_so_is_that_data_changed_it(comes: Comes, actors: dict[str, Any]) -> None:
    record = comes("user_id=u1", name="Wang", city="杭州")
    update_profile(customer_id=record, fields={"city": None}, by=actors["agent"])
    comes("user_id=u1", 10**7, name="Li")
    with pytest.raises(Contested) as found:
        mine = {"name": "X", "city": "Y"}
        update_profile(customer_id=record, fields=mine, seen={"name": "Wang", "city": "杭州"}, by=actors["manager"])
    meanwhile = found.value.fields
    assert (meanwhile["city"].value, meanwhile["city"].by) == (None, actors["agent"].ref)
    assert (meanwhile["name"].value, meanwhile["name"].by) == ("Li", "") and meanwhile["name"].at is not None


def test_a_change_on_a_condition_is_refused_once_the_profile_is_another(comes: Comes, actors: dict[str, Any]) -> None:
    record = comes("user_id=u1", name="Wang", plan="gold")
    read = queries.get(record).version
    tag(customer_ids=[record], name="VIP", by=actors["agent"])  # isn't the profile
    assert queries.get(record).version == read
    update_profile(customer_id=record, fields={"plan": "silver"}, versions=[read], by=actors["agent"])
    with pytest.raises(Outdated):
        update_profile(customer_id=record, fields={"name": "Li"}, versions=[read], by=actors["agent"])
    update_profile(customer_id=record, fields={"plan": "gold"}, by=actors["agent"])
    assert queries.get(record).version == read  # it is as it was


def test_every_value_that_cant_be_is_told_at_once(comes: Comes, actors: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as problem:
        update_profile(
            customer_id=comes("user_id=u1"), fields={"name": "x" * 201, "birthday": "31.5.", "city": "y"},
            by=actors["agent"],
        )  # fmt: skip
    assert [one.field for one in (problem.value, *problem.value.others)] == ["name", "birthday"]
    comes("user_id=u2 phone=13812345678")
    with pytest.raises(Problem) as problem_of_new:
        identities = [("phone", "13812345678"), ("email", "nobody@")]
        add_customer(identities=identities, fields={"birthday": "soon"}, by=actors["agent"])
    faults = (problem_of_new.value, *problem_of_new.value.others)
    assert [one.field for one in faults] == ["email", "birthday", "phone"]
