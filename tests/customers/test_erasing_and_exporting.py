"""A person erased: nothing names them any more, anywhere; the figures stay. A person's data, exported."""

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.apps import apps

from regulars.catalog import Fault
from regulars.customers import queries
from regulars.customers.scrubbing import scrubbed, sent_by
from regulars.customers.services import (
    add_note,
    erase,
    export_person,
    give_consent,
    merge,
    tag,
    update_profile,
)
from regulars.eventlog import quarantine
from regulars.eventlog.queries import quarantined, timeline
from regulars.eventlog.services import NewEvent, append
from regulars.kernel.errors import Conflict, Forbidden
from regulars.kernel.languages import Text
from tests.customers.conftest import MONDAY

Comes = Callable[..., int]


def _order(record: int, id: str, **more: Any) -> None:
    properties = {"order_id": "A1", "total": 12.5, "products": [{"name": "Oolong", "quantity": 1}], **more}
    context = {"ip": "1.2.3.4", "page": {"url": "https://shop/?email=li@example.com"}}
    append([NewEvent(id, "Order Completed", record, MONDAY, MONDAY, properties, context, "demo")])


def _everything() -> str:
    """Every value of every table of customers and the log, as one text."""
    parts = []
    for label in ("customers", "eventlog", "accounts"):
        for model in apps.get_app_config(label).get_models():
            parts += [json.dumps(row, default=str, ensure_ascii=False) for row in model._default_manager.values()]
    return "\n".join(parts).lower()


def test_nothing_of_an_erased_person_can_be_found_and_orders_stay(comes: Comes, actors: dict[str, Any]) -> None:
    by = actors["manager"]
    visitor = comes("anonymous_id=browser-77")
    person = comes(
        "user_id=user-4711 anonymous_id=browser-77", 1,
        name="欧阳小明", email="Li@example.com", phone="13812345678", birthday="1990-05-31", diet="vegan",
    )  # fmt: skip
    other = comes("user_id=user-4712", 1, name="Somebody else")
    merge(source=other, target=person, by=by, keep_from_source=["name"])
    _order(
        person, "m1", customer={"name": "欧阳小明"}, comment="Ring twice", gift_for="请送给欧阳小明", sms_to=13812345678
    )
    _order(visitor, "m2", note="x")
    fault = Fault("wrong_type", "total", Text("total should be a number.", "total 应为数字。"))
    for user in ("user-4711", "user-4712x"):
        payload = {"event": "Order Completed", "userId": user, "properties": {"total": "x"}}
        quarantine.put([quarantine.BadEvent(payload, fault, "track:1", MONDAY)])
    add_note(customer_id=person, text="Met at the fair", by=by)
    tag(customer_ids=[person], name="VIP", by=by)
    update_profile(customer_id=person, fields={"city": "Hangzhou"}, by=by)
    give_consent(customer_id=person, channel="sms", purpose="marketing", by=by, source="fair in May")
    before = _everything()
    secrets = ["欧阳", "li@example", "13812345678", "user-4711", "browser-77", "1990-05-31", "vegan", "met at the fair",
               "hangzhou", "somebody else", "ring twice", "1.2.3.4", "fair in may"]  # fmt: skip
    assert all(secret in before for secret in secrets)
    assert erase(customer_id=visitor, by=by) == 3
    after = _everything()
    assert [secret for secret in secrets if secret in after] == []
    orders = timeline(queries.members(person), names=["Order Completed"])
    assert [row.properties for row in orders] == [
        {"order_id": "A1", "total": 12.5, "products": [{"name": "Oolong", "quantity": 1}]}
    ] * 2
    profile = queries.get(person)
    assert profile.erased_at is not None and profile.card.title.en == f"Erased customer {person}"
    assert timeline([person], limit=1)[0].name == "Customer Erased"
    assert queries.find("13812345678") == []
    assert comes("user_id=user-4711", 9) == person  # late: of the time before
    assert comes("user_id=user-4711", 10_000_000) not in {person, visitor, other}
    with pytest.raises(Conflict, match="erased"):
        update_profile(customer_id=person, fields={"name": "x"}, by=by)


def test_only_those_who_may_can_erase_and_export(comes: Comes, actors: dict[str, Any]) -> None:
    id = comes("user_id=u1")
    for role in ("marketer", "agent", "store", "analyst"):
        with pytest.raises(Forbidden):
            erase(customer_id=id, by=actors[role])
    with pytest.raises(Forbidden):
        export_person(customer_id=id, by=actors["agent"])


def test_products_keep_their_names_and_codes_and_people_dont() -> None:
    properties = {
        "products": [{"name": "Oolong", "price": 3, "note": "for Li"}], "receiver": "Li", "store": "hz-1",
        "tags": ["li@example.com", "x"], "first_name": "Li", "count": 3, "nested": {"phone": "1", "score": 9},
    }  # fmt: skip
    assert scrubbed(properties, {"li@example.com"}) == {
        "products": [{"name": "Oolong", "price": 3}], "store": "hz-1", "tags": ["x"], "count": 3, "nested": {"score": 9},
    }  # fmt: skip


def test_a_person_gets_everything_in_readable_files(comes: Comes, actors: dict[str, Any]) -> None:
    by = actors["manager"]
    person = comes("user_id=u1", name="王伟", email="w@example.com", plan="gold", birthday="1990-05-31")
    _order(person, "m1")
    add_note(customer_id=person, text="喜欢乌龙茶", by=by)
    give_consent(customer_id=person, channel="sms", purpose="marketing", by=by)
    with zipfile.ZipFile(BytesIO(export_person(customer_id=person, by=by))) as bundle:
        assert bundle.namelist() == ["README.txt", "profile.json", "events.json"]
        profile = json.loads(bundle.read("profile.json"))
        events = json.loads(bundle.read("events.json"))
    assert (profile["profile"]["姓名"], profile["profile"]["生日"]) == ("王伟", "1990-05-31")
    assert [row["value"] for row in profile["identities"]] == ["u1", "w@example.com"]
    assert (profile["attributes"], profile["notes"][0]["text"]) == ({"plan": "gold"}, "喜欢乌龙茶")
    assert {row["event"] for row in events} == {"Consent Given", "Order Completed", "Customer Identified"}


def test_a_short_identity_takes_nothing_of_others_along(comes: Comes, actors: dict[str, Any]) -> None:
    person = comes("user_id=15", 1, name="Ann")
    _order(person, "m1", total=1500, gift="15", code="A-15")
    fault = Fault("wrong_type", "total", Text("total should be a number.", "total 应为数字。"))
    for user in ("15", "16"):
        payload = {
            "event": "Order Completed",
            "userId": user,
            "timestamp": "2026-11-15",
            "properties": {"order_id": "15"},
        }
        quarantine.put([quarantine.BadEvent(payload, fault, "track:1", MONDAY)])
    erase(customer_id=person, by=actors["manager"])
    kept = timeline([person])[-1].properties
    assert (kept["order_id"], kept["total"], kept["code"]) == ("A1", 1500, "A-15")
    assert [row.payload["userId"] for row in quarantined()] == ["16"]


@pytest.mark.parametrize(
    "spelled",
    ["8613911112222", 8613911112222, "139 1111 2222", "139-1111-2222", "tel:+86 139 1111 2222", "008613911112222",
     "call 13911112222 please"],
)  # fmt: skip
def test_a_phone_goes_however_it_was_written(spelled: object) -> None:
    phone = {"+8613911112222", "13911112222"}
    assert scrubbed({"contact_no": spelled, "total": 139}, phone) == {"total": 139}
    assert sent_by({"userId": "x", "properties": {"contact_no": spelled}}, phone)
    assert not sent_by({"userId": "x", "timestamp": "2026-11-22 10:00", "properties": {"no": "13911112223"}}, phone)


def test_a_short_name_of_two_words_goes_and_one_word_stays() -> None:
    assert scrubbed({"gift": "for Li Na", "tea": "anna's", "size": "li"}, {"li na"}) == {"tea": "anna's", "size": "li"}
