"""The catalogue of events: its entries, and what it says of events that don't fit."""

import time

import pytest

from regulars import catalog
from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text
from tools import events

TRACKED = """Products Searched, Product List Viewed, Promotion Clicked, Product Viewed, Product Added, Checkout Started,
Order Completed, Order Refunded, Order Cancelled, Coupon Applied, Ticket Opened, Survey Answered, Message Clicked,
Points Earned, Tier Changed, Coupon Issued, Visit Checked In, Booking Made"""
OWN = """Customer Identified, Customers Merged, Customers Unmerged, Profile Updated, Consent Given, Consent Withdrawn,
Tag Added, Tag Removed, Customer Erased, Segment Entered, Segment Exited, Journey Entered, Held Out"""
NOTED = """Order Updated, Order Shipped, Order Delivered, Coupon Issued, Points Earned, Tier Changed, Message Sent,
Ticket Replied, Ticket Resolved, Customer Unidentified, Traits Updated, Identities Linked, Group Joined, Identity Added, Identity Removed,
Consent Undone"""


def names(text: str) -> list[str]:
    return [name.strip() for name in text.replace("\n", " ").split(",")]


def test_every_event_of_the_vocabulary_is_there() -> None:
    assert [name for name in names(TRACKED) + names(OWN) if name not in catalog.CATALOG] == []


@pytest.mark.parametrize("entry", catalog.CATALOG.values(), ids=lambda entry: entry.name)
def test_every_entry_says_in_both_languages_when_it_is_recorded(entry: catalog.EventType) -> None:
    assert entry.when.en.endswith(".") and entry.when.zh.endswith("。")
    assert entry.title.en and entry.title.zh
    assert entry.group in catalog.GROUPS
    assert {field for fields in entry.columns.values() for field in fields} <= entry.payload.model_fields.keys()


def test_the_names_of_a_group_are_those_whose_entries_say_so() -> None:
    assert catalog.names_of("orders") == {
        "Order Updated", "Order Completed", "Order Refunded", "Order Cancelled", "Order Shipped", "Order Delivered",
    }  # fmt: skip


def test_whatever_the_customer_did_not_do_is_told_apart() -> None:
    """A new kind of event has to decide: the rule is with `by_customer` in payloads."""
    assert {name for name, entry in catalog.CATALOG.items() if not entry.by_customer} == {*names(OWN), *names(NOTED)}
    assert not [name for name, entry in catalog.CATALOG.items() if entry.reserved and entry.by_customer]
    with pytest.raises(TypeError, match="by_customer"):
        catalog.EventType("Ski Rented", catalog.Payload, "visits", Text("Rented", "租借"), Text("When.", "时。"))  # type: ignore[call-arg]


def test_events_that_are_not_catalogued_are_fine_whatever_they_carry() -> None:
    assert catalog.check("Ski Rented", {"total": {"deep": [1]}, "products": "skis"}) is None
    assert catalog.columns("Ski Rented") == {"store": ("store", "store_id", "affiliation"), "channel": ("channel",)}
    assert catalog.title("Ski Rented").zh == "Ski Rented"


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"order_id": None, "total": None, "products": None},
        {"order_id": 50314, "total": "27.50", "products": [{"product_id": 507, "price": "19", "quantity": 1.5}]},
        {"total": 27.5, "colour": "red", "products": [{"sku": "G-32", "engraving": {"text": "A"}}]},
    ],
)
def test_numbers_as_texts_ids_as_numbers_nulls_and_unknown_properties_are_taken(properties: dict[str, object]) -> None:
    assert catalog.check("Order Completed", properties) is None


def test_the_typed_payload_has_numbers_as_decimals_and_ids_as_texts() -> None:
    order = catalog.parse("Order Completed", {"order_id": 7, "total": "12.5", "products": [{"price": 0.1}]})
    assert (order.order_id, str(order.total), str(order.products[0].price)) == ("7", "12.5", "0.1")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("properties", "code", "field", "en", "zh"),
    [
        (
            {"products": [{"price": 1}, {"price": "cheap"}]},
            "wrong_type",
            "products.1.price",
            'Order Completed: products.1.price should be a number, but "cheap" came. Send it as 12.5, or leave it out.',
            "Order Completed：products.1.price 应为数字，收到的是“cheap”。请改为 12.5 这样的值，或不发送该字段。",
        ),
        (
            {"products": {"price": 1}},
            "wrong_type",
            "products",
            'Order Completed: products should be a list, but {"price": 1} came. Send it as […], or leave it out.',
            'Order Completed：products 应为列表，收到的是 {"price": 1}。请改为 […] 这样的值，或不发送该字段。',
        ),
        (
            {"products": ["A-1"]},
            "wrong_type",
            "products.0",
            'Order Completed: products.0 should be an object, but "A-1" came. Send it as {"product_id": "A-1001"}, or leave it out.',
            'Order Completed：products.0 应为对象，收到的是“A-1”。请改为 {"product_id": "A-1001"} 这样的值，或不发送该字段。',
        ),
        (
            {"order_id": True},
            "wrong_type",
            "order_id",
            'Order Completed: order_id should be a text, but true came. Send it as "A-1001", or leave it out.',
            "Order Completed：order_id 应为文本，收到的是 true。请改为“A-1001”这样的值，或不发送该字段。",
        ),
        (
            {"total": 1e300},
            "out_of_range",
            "total",
            "Order Completed: total is 1e+300, which is outside what is possible (≤ 1000000000000). Send the right value, or leave it out.",
            "Order Completed：total 为 1e+300，超出允许范围（≤ 1000000000000）。请发送正确的值，或不发送该字段。",
        ),
    ],
)
def test_a_wrong_payload_is_told_with_field_fault_and_remedy(
    properties: dict[str, object], code: str, field: str, en: str, zh: str
) -> None:
    fault = catalog.check("Order Completed", properties)
    assert fault is not None
    assert (fault.code, fault.field, fault.text.en, fault.text.zh) == (code, field, en, zh)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("nps", [0, 6, 10, "9", 10.0, None], [-1, 11, 99, "99"]),
        ("NPS", [0, 10], [11]),
        ("csat", [1, 5], [0, 6, "6"]),
        ("ces", [1, 5], [0, 6]),
        ("delight", [0, 100], [-1, 101]),
        (None, [0, 100], [101]),
    ],
)
def test_a_score_has_to_be_one_of_its_kind(kind: str | None, right: list[object], wrong: list[object]) -> None:
    for scores, code in ((right, None), (wrong, "out_of_range")):
        for score in scores:
            fault = catalog.check("Survey Answered", {"kind": kind, "score": score})
            assert (fault and fault.code) == code, score
            assert fault is None or fault.field == "score"


def test_an_impossible_score_is_told_with_the_scale() -> None:
    fault = catalog.check("Survey Answered", {"kind": "nps", "score": 99})
    assert fault is not None
    assert fault.text.en == (
        "Survey Answered: 99 is no score of NPS, which goes from 0 to 10. Send the score that was given, or the right "
        "kind."
    )
    assert fault.text.zh == "Survey Answered：99 不是有效的 NPS 得分（应为 0 到 10）。请发送实际得分，或改正 kind。"


@pytest.mark.parametrize(
    ("properties", "field"),
    [
        ({"total": -5}, "total"),
        ({"total": "-5.00"}, "total"),
        ({"total": -5, "products": [{"price": 5}]}, "total"),
        ({"revenue": -0.01}, "revenue"),
        ({"value": -1}, "value"),
        ({"products": [{"price": -5}]}, "products"),
        ({"products": [{"price": "5", "quantity": -2}, {"price": 9}, {"product_id": "gift"}]}, "products"),
        ({"total": 0}, None),
        ({"total": 4, "revenue": -1}, None),  # the total is what counts
        ({"total": 0, "products": [{"price": 5}, {"price": 5, "quantity": -1}]}, None),  # an exchange
        ({"products": [{"price": 0.1, "quantity": 3}, {"price": -0.3}]}, None),
        ({"products": []}, None),
    ],
)
def test_an_order_of_less_than_nothing_is_refused(properties: dict[str, object], field: str | None) -> None:
    fault = catalog.check("Order Completed", properties)
    assert (fault and (fault.code, fault.field)) == (field and ("negative", field))
    assert catalog.check("Order Refunded", properties) is None


def test_a_refused_order_says_what_to_send_instead() -> None:
    fault = catalog.check("Order Completed", {"total": -5.0})
    assert fault is not None
    assert fault.text.en == (
        "Order Completed: total makes -5, but nobody buys for less than nothing. Send what was given back as Order "
        "Refunded, with the order_id of the order."
    )
    assert fault.text.zh == (
        "Order Completed：total 合计为 -5，订单金额不能为负。退还的金额请用 Order Refunded 发送，并带上原订单的 order_id。"
    )


def test_numbers_that_are_not_finite_are_told() -> None:
    fault = catalog.check("Order Completed", {"total": "NaN"})
    assert fault is not None and (fault.code, fault.field) == ("wrong_type", "total")


@pytest.mark.parametrize("name", names(OWN))
def test_the_systems_own_events_are_not_taken_from_tracking_clients(name: str) -> None:
    fault = catalog.check(name, {})
    assert fault is not None and fault.code == "reserved"


def test_the_system_itself_may_only_record_what_is_declared() -> None:
    catalog.require("Customers Merged", {"source": 2, "target": 1, "root": 1})
    with pytest.raises(LookupError):
        catalog.require("Customer Melted", {})
    with pytest.raises(Invalid) as missing:
        catalog.require("Customers Merged", {"source": 2, "target": 1})
    assert (missing.value.code, missing.value.field) == ("event_missing", "root")
    with pytest.raises(Invalid) as undeclared:
        catalog.require("Tag Added", {"tag": "vip", "phone": "13800138000"})
    assert (undeclared.value.code, undeclared.value.field) == ("event_unknown_field", "phone")


@pytest.mark.alone
def test_tens_of_thousands_of_events_a_second_are_checked() -> None:
    order = {"order_id": "1", "total": 30, "products": [{"product_id": "a", "price": 10, "quantity": 1}] * 3}
    begin = time.process_time()
    for _ in range(10_000):
        catalog.check("Order Completed", order)
    assert 10_000 / (time.process_time() - begin) > 30_000


def test_the_documentation_of_events_is_what_the_catalogue_says() -> None:
    assert events.FILE.read_text(encoding="utf-8") == events.document(), "run python -m tools.events"
