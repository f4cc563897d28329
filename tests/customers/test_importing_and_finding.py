"""Customers from files, and finding them by whatever is known."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from regulars.customers import queries
from regulars.customers.bulk import insert
from regulars.customers.models import Customer, Identity
from regulars.customers.profiles import name_rest
from regulars.customers.queries import finding
from regulars.customers.services import CustomerRow, import_customers, merge
from regulars.eventlog.queries import recent
from regulars.kernel.errors import Forbidden
from tests.customers.conftest import MONDAY

Comes = Callable[..., int]


def test_rows_make_or_find_customers_and_say_what_is_wrong(comes: Comes, actors: dict[str, Any]) -> None:
    by = actors["marketer"]
    there = comes("phone=13812345678", name="Old")
    since = datetime(2020, 3, 1, tzinfo=UTC)
    rows = [
        CustomerRow((("phone", "138 1234 5678"),), {"name": "New", "gender": "?"}, ("VIP",), at=MONDAY, since=since),
        CustomerRow(
            (("email", "li@example.com"), ("phone", "12")), {"name": "Li"},
            consents=(("sms", "marketing", True), ("fax", "marketing", True)),
        ),
        CustomerRow((), {"name": "Nobody"}),
        CustomerRow((("email", "LI@example.com"),), {"city": "Hangzhou"}, ("VIP", "tea")),
    ]  # fmt: skip
    outcomes = import_customers(rows, by=by)
    assert [outcome.new for outcome in outcomes] == [False, True, False, False]
    assert [[problem.field for problem in outcome.problems] for outcome in outcomes] == [
        ["gender"], ["phone", "channel"], [None], [],
    ]  # fmt: skip
    assert outcomes[0].customer_id == there and outcomes[2].customer_id is None
    li = outcomes[1].customer_id
    assert li is not None and outcomes[3].customer_id == li
    assert queries.get(there).fields["name"] == "New"
    assert queries.get(there).created_at == since
    assert queries.get(li).fields["city"] == "Hangzhou"
    assert queries.tags_of([there, li]) == {there: ["VIP"], li: ["tea", "VIP"]}
    assert queries.consent_states(li)["sms", "marketing"].given
    count = len(recent(limit=500))
    again = import_customers(rows, by=by)
    assert [outcome.new for outcome in again] == [False] * 4
    assert len(recent(limit=500)) == count
    with pytest.raises(Forbidden):
        import_customers(rows, by=actors["agent"])


def test_a_customer_is_found_by_any_identity_number_and_name(comes: Comes, actors: dict[str, Any]) -> None:
    one = comes("user_id=U-1 phone=13812345678 email=li@example.com member_card=VIP-1", name="李小龙")
    two = comes("user_id=U-2", name="Bruce Lee")
    for text in (
        "U-1",
        "138 1234 5678",
        "+8613812345678",
        "LI@example.com",
        "vip1",
        str(one),
        f"#{one}",
        "李",
        "李小龙",
        "小龙",
        "5678",
        "138****5678",
    ):
        assert [card.id for card in queries.find(text)] == [one], text
    assert [card.id for card in queries.find("bruce")] == [two]
    assert queries.find("5679") == [] and queries.find("139****5678") == []
    assert queries.matching("小龙") == queries.matching("5678") == [one]
    assert queries.find("nobody") == [] and queries.find(" ") == []
    merge(source=one, target=two, by=actors["agent"])
    assert [card.id for card in queries.find("138 1234 5678")] == [two]
    assert [card.id for card in queries.find("李小龙")] == [two]


def test_finding_uses_indexes(db: None) -> None:
    insert(
        Customer,
        ("id", "root_id", "created_at", "facts", "custom", "name", "name_key", "name_rest", "gender", "city", "language",
         "known"),
        [(n, n, MONDAY, {}, {}, f"N{n}", f"n{n}", f"r{n}", "", "", "", False) for n in range(1, 50_001)],
    )  # fmt: skip
    insert(
        Identity,
        ("id", "kind", "value", "customer", "first_seen", "seen_with", "shared", "settled", "by"),
        [(n, "phone", f"+8613800{n:06}", n, MONDAY, {}, False, False, "") for n in range(1, 50_001)],
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    assert [card.id for card in queries.find("n41234")] == [41234]
    assert [card.id for card in queries.find("49999")] == [49999]
    assert [card.id for card in queries.find("r41234")] == [41234]
    assert [card.id for card in queries.find("138****1234")] == [1234, 11234, 21234, 31234, 41234]
    for column in ("name_key", "name_rest"):
        assert f"customers_customer_{column}" in finding.beginning(column, "n41").explain()
    assert "customers_last_four" in finding.ending("1234").explain()


@pytest.mark.parametrize(
    ("name", "rest"),
    [("吴建超", "建超"), ("欧阳娜娜", "娜娜"), ("李波", "波"), ("Anna Maria SMITH", "smith"), ("Anna", ""), ("", "")],
)
def test_a_name_is_searched_by_what_comes_after_the_family_s_or_by_its_last_word(name: str, rest: str) -> None:
    assert name_rest(name) == rest


def test_cards_come_in_pages_for_many_and_for_merged_records(comes: Comes, actors: dict[str, Any]) -> None:
    a, b = comes("user_id=a", name="A"), comes("phone=13812345678")
    visitor = comes("anonymous_id=x")
    merge(source=a, target=b, by=actors["agent"])
    cards = queries.by_ids([a, b, visitor, 10**9])
    assert {id: card.id for id, card in cards.items()} == {a: b, b: b, visitor: visitor}
    assert cards[a].identities == ("138****5678", "***")
    assert (cards[visitor].title.en, cards[visitor].title.zh) == (f"Visitor {visitor}", f"访客 {visitor}")
    assert [card.id for card in queries.page()] == [visitor, b]
    assert [card.id for card in queries.page(before=visitor)] == [b]
    assert [card.id for card in queries.page(known=False)] == [visitor]
    assert sorted((row.id, row.customer_id, row.known) for row in queries.records([a])) == [(a, b, True), (b, b, True)]
    assert [row.id for row in queries.records_after(a)] == [b, visitor]


def test_an_upgrade_fills_in_what_else_people_are_found_by(comes: Comes) -> None:
    one, two = comes("user_id=U-1", name="吴建超"), comes("user_id=U-2")
    Customer.objects.update(name_rest="")
    migration = import_module("regulars.customers.migrations.0005_more_to_find_by")
    migration.fill(apps, connection.schema_editor())
    assert dict(Customer.objects.values_list("id", "name_rest")) == {one: "建超", two: ""}
