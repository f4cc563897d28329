"""Who did it: the rules of resolution, one by one, and thousands of claims at once."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from regulars.accounts.actors import SYSTEM
from regulars.accounts.services import change_settings
from regulars.customers import queries
from regulars.customers.services import Claim, resolve, settle_identity, unmerge
from regulars.eventlog.queries import recent
from tests.customers.conftest import MONDAY

Comes = Callable[..., int]


def customer(record: int) -> int:
    return queries.root_of(record)


def names() -> list[tuple[str, dict[str, Any]]]:
    return [(row.name, row.properties) for row in reversed(recent())]


def test_the_same_identity_leads_to_the_same_record(comes: Comes) -> None:
    first = comes("anonymous_id=a1")
    assert comes("anonymous_id=a1", 5) == first
    assert comes("anonymous_id=a2", 5) != first
    assert not queries.get(first).known
    assert names() == []


def test_every_spelling_of_a_phone_leads_to_one_customer(comes: Comes) -> None:
    assert comes("phone=13812345678") == comes("phone=+86-138-1234-5678") == comes("phone=１３８１２３４５６７８")


def test_signing_in_merges_the_browser_into_the_user(comes: Comes) -> None:
    visitor = comes("anonymous_id=a1")
    user = comes("user_id=u1 anonymous_id=a1", 5)
    assert user != visitor
    assert customer(visitor) == user
    assert queries.members(visitor) == [user, visitor]
    assert comes("anonymous_id=a1", 6) == visitor
    assert names() == [
        ("Customer Identified", {"kinds": ["user_id"]}),
        ("Customers Merged", {"source": visitor, "target": user, "root": user}),
    ]
    (merge,) = queries.merges(user)
    assert (merge.automatic, merge.kind, merge.undone_at) == (True, "anonymous_id", None)


def test_two_user_ids_never_merge_by_themselves(comes: Comes) -> None:
    one = comes("user_id=u1 anonymous_id=tablet")
    other = comes("user_id=u2 anonymous_id=tablet phone=13812345678", 5)
    assert customer(one) != customer(other)
    third = comes("user_id=u1 phone=13812345678", 9)
    assert third == one
    assert customer(one) != customer(other)


def test_identities_without_a_user_id_join_into_one_customer(comes: Comes) -> None:
    by_phone, by_mail = comes("phone=13812345678"), comes("email=li@example.com")
    both = comes("email=li@example.com phone=13812345678", 5)
    assert both == by_phone
    assert customer(by_mail) == by_phone


def test_a_customer_without_user_id_goes_under_the_one_that_has_one(comes: Comes) -> None:
    user = comes("user_id=u1 email=li@example.com")
    card = comes("member_card=C1")
    assert comes("member_card=C1 email=li@example.com", 5) == card
    assert customer(card) == user


def test_a_shop_tablet_doesnt_swallow_its_users(comes: Comes) -> None:
    users = [comes(f"user_id=u{n} device=tablet", n) for n in range(1, 7)]
    assert len({customer(user) for user in users}) == 6
    (flagged,) = queries.shared_identities()
    assert (flagged.kind, flagged.customer.id, flagged.seen_with) == ("device", users[0], {"user_id": 6})
    alone = comes("device=tablet", 10)
    assert customer(alone) == alone and alone not in users
    assert comes("device=tablet", 11) == alone
    newcomer = comes("user_id=u7 device=tablet", 12)
    assert customer(newcomer) not in {customer(user) for user in users}
    assert comes("anonymous_id=x device=tablet", 13) not in {*users, alone, newcomer}


def test_five_people_at_one_tablet_are_not_flagged(comes: Comes) -> None:
    users = [comes(f"user_id=u{n} device=tablet", n) for n in range(1, 6)]
    assert queries.shared_identities() == []
    assert comes("device=tablet", 9) == users[0]


def test_a_family_phone_joins_six_mailboxes_at_most(comes: Comes) -> None:
    records = [comes(f"phone=13812345678 email=p{n}@example.com", n) for n in range(20)]
    sizes: dict[int, int] = {}
    for record in records:
        sizes[customer(record)] = sizes.get(customer(record), 0) + 1
    assert sorted(sizes.values(), reverse=True) == [5] + [1] * 15
    assert [row.kind for row in queries.shared_identities()] == ["phone"]


def test_the_limit_is_a_setting_of_the_business(comes: Comes) -> None:
    change_settings(more={"shared_after": 2}, by=SYSTEM)
    for n in range(3):
        comes(f"user_id=u{n} device=till", n)
    assert len(queries.shared_identities()) == 1


def test_a_person_says_whether_it_is_shared(comes: Comes, actors: dict[str, Any]) -> None:
    users = [comes(f"user_id=u{n} device=tablet", n) for n in range(6)]
    (flagged,) = queries.shared_identities()
    settle_identity(identity_id=flagged.id, shared=False, by=actors["manager"])
    assert queries.shared_identities() == []
    assert comes("device=tablet", 9) == users[0]
    comes("user_id=u9 device=tablet", 10)
    assert queries.shared_identities() == []
    settle_identity(identity_id=flagged.id, shared=True, by=actors["manager"])
    assert queries.shared_identities() == []
    assert comes("device=tablet", 11) not in users


def test_what_a_person_took_apart_stays_apart(comes: Comes, actors: dict[str, Any]) -> None:
    visitor = comes("anonymous_id=a1")
    user = comes("user_id=u1 anonymous_id=a1", 1)
    (merge,) = queries.merges(user)
    assert unmerge(merge_id=merge.id, by=actors["agent"]) == visitor
    assert comes("user_id=u1 anonymous_id=a1", 2) == user
    assert (customer(visitor), customer(user)) == (visitor, user)


def test_placeholders_and_bad_values_identify_nobody(db: None) -> None:
    claims = [
        Claim((("user_id", "null"), ("phone", "12")), {}, MONDAY),
        Claim((), {}, MONDAY),
        Claim((("user_id", "undefined"), ("email", "li@example.com")), {}, MONDAY),
    ]
    first, second, third = resolve(claims)
    assert (first, second) == (None, None)
    assert third is not None
    assert [row.kind for row in queries.identities(third)] == ["email"]


def test_traits_become_profile_identities_and_attributes(comes: Comes) -> None:
    record = comes(
        "user_id=u1", name="王小明", email="Wang@Example.com", phone="138 1234 5678", birthday="1990/05/31", gender="男",
        address={"city": "杭州", "street": "…"}, plan="gold", homeStore="west-lake", age="x" * 10,
    )  # fmt: skip
    profile = queries.get(record)
    assert profile.fields["name"] == "王小明"
    assert profile.fields["birthday"].isoformat() == "1990-05-31"
    assert (profile.fields["gender"], profile.fields["city"]) == ("male", "杭州")
    assert profile.fields["home_store"] == "west-lake"
    assert profile.custom == {"plan": "gold", "age": "x" * 10}
    assert [(row.kind, row.value) for row in queries.identities(record)] == [
        ("user_id", "u1"), ("phone", "+8613812345678"), ("email", "wang@example.com"),
    ]  # fmt: skip
    assert profile.card.avatar == "小明"
    assert profile.card.identities == ("138****5678", "w***@example.com", "***1")


def test_of_two_traits_the_later_by_event_time_wins(comes: Comes) -> None:
    record = comes("user_id=u1", 10, name="Later", city="Beijing")
    comes("user_id=u1", 5, name="Earlier", plan="gold")
    comes("user_id=u1", 11, city=None)
    profile = queries.get(record)
    assert (profile.fields["name"], profile.fields["city"], profile.custom) == ("Later", None, {"plan": "gold"})


def test_traits_of_a_browser_show_on_the_customer_it_belongs_to(comes: Comes) -> None:
    visitor = comes("anonymous_id=a1", 0, city="Xi'an")
    user = comes("user_id=u1 anonymous_id=a1", 1, name="Li")
    comes("anonymous_id=a1", 2, name="Li Wei")
    assert queries.get(user).fields["name"] == "Li Wei"
    assert queries.get(user).fields["city"] == "Xi'an"
    assert queries.get(visitor).id == user


def test_a_batch_takes_a_handful_of_queries_whatever_its_size(db: None) -> None:
    def batch(size: int, prefix: str) -> list[Claim]:
        return [
            Claim((("user_id", f"{prefix}{n}"), ("anonymous_id", f"{prefix}a{n}")), {"name": f"N{n}"}, MONDAY)
            for n in range(size)
        ]

    resolve(batch(1, "warm"))
    with CaptureQueriesContext(connection) as small:
        resolve(batch(10, "x"))
    with CaptureQueriesContext(connection) as large:
        resolve(batch(2000, "y"))
    assert len(large) <= len(small) + 2
    assert len(large) < 40


@pytest.mark.django_db(transaction=True)
def test_what_is_remembered_survives_rollbacks_and_flags() -> None:
    def one(*keys: tuple[str, str]) -> int:
        (record,) = resolve([Claim(keys, {}, MONDAY)])
        assert record is not None
        return record

    try:
        with transaction.atomic():
            lost = one(("anonymous_id", "a1"))
            assert one(("anonymous_id", "a1")) == lost
            raise RuntimeError
    except RuntimeError:
        pass
    other = one(("anonymous_id", "other"))
    again = one(("anonymous_id", "a1"))
    assert again != other and queries.root_of(again) == again
    with CaptureQueriesContext(connection) as warm:
        assert one(("anonymous_id", "a1")) == again
    assert len([query for query in warm if query["sql"].startswith("SELECT")]) == 1
    first = one(("device", "tablet"))
    batch = [Claim((("user_id", f"u{n}"), ("device", "tablet")), {}, MONDAY) for n in range(6)]
    placed = resolve([*batch, Claim((("device", "tablet"),), {}, MONDAY)])
    assert placed[-1] not in {first, *placed[:-1]}
    assert one(("device", "tablet")) == placed[-1]
