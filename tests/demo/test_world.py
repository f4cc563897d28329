"""The world that `demo` makes: the same every time, in order, as the catalogue wants it, and with its truths in it."""

import hashlib
import io
import json
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from regulars import catalog
from regulars.demo import chain
from regulars.demo.world import world
from regulars.kernel import clock

from .conftest import LAST


def fingerprint(seed: int, customers: int) -> str:
    made = world(seed, customers, LAST)
    digest = hashlib.sha256()
    out = io.BytesIO()
    for events, lines in made.batches():
        for batch in (events, lines):
            with pa.ipc.new_stream(out, batch.schema) as stream:
                stream.write_batch(batch)
    digest.update(out.getvalue())
    digest.update(json.dumps(made.truths(), sort_keys=True).encode())
    digest.update(json.dumps(made.customers.to_pylist(), default=str).encode())
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_world_to_the_byte_and_another_seed_another():
    assert fingerprint(1, 200) == fingerprint(1, 200)
    assert fingerprint(1, 200) != fingerprint(2, 200)


def test_truths_are_the_same_whether_or_not_events_were_read(small):
    made, _, _ = small
    assert world(7, 2000, LAST).truths() == made.truths()


def test_events_come_in_time_order_numbered_without_gaps_within_two_years(small):
    _, events, _ = small
    at = events["at"].to_numpy()
    assert (np.diff(at) >= 0).all()
    assert events["number"].to_pylist() == list(range(1, events.num_rows + 1))
    assert len(set(events["message_id"].to_pylist())) == events.num_rows
    days = events["day"].to_numpy()
    assert days.min() == clock.day_number(LAST - timedelta(days=727))
    assert days.max() == clock.day_number(LAST)
    assert days.tolist() == ((at // 1_000_000 + 8 * 3600) // 86_400).tolist()
    months = {d: clock.day_of(d) for d in set(days.tolist())}
    assert all(
        m == months[d].year * 12 + months[d].month - 1
        for d, m in zip(days.tolist(), events["month"].to_pylist(), strict=True)
    )


def test_every_event_passes_the_catalogue_and_its_columns_are_its_properties(small):
    _, events, _ = small
    seen = Counter()
    for row in events.to_pylist():
        if seen[row["name"]] >= 400:
            continue
        seen[row["name"]] += 1
        properties = json.loads(row["properties"], parse_float=Decimal)
        assert row["name"] in catalog.CATALOG
        assert catalog.check(row["name"], properties) is None
        for column, sources in catalog.columns(row["name"]).items():
            value = next((properties[s] for s in sources if properties.get(s) is not None), None)
            if column == "amount" and value is not None:
                value = int(value * 100)
            assert row[column] == value, (row["name"], column)
    assert len(seen) == 16


def test_payloads_name_nobody(small):
    made, events, _ = small
    names = set(made.customers["name"].drop_null().to_pylist())
    text = "\n".join(events["properties"].to_pylist()[:5_000])
    assert "+86" not in text
    assert "@" not in text
    assert not [n for n in names if len(n) == 3 and n in text]


def test_nobody_is_named_before_they_are_known(small):
    made, events, _ = small
    joined = made.customers["joined"].to_pylist()
    keys, anonymous = made.customers["key"].to_pylist(), made.customers["anonymous_id"].to_pylist()
    both = set()
    for who, user, at, name in zip(*(events[c].to_pylist() for c in ("customer", "user", "at", "name")), strict=True):
        known = joined[who] is not None and at >= joined[who]
        assert user == (keys[who] if known else anonymous[who])
        if not known:
            assert name in ("Page Viewed", "Product Viewed", "Products Searched")
            both.add(joined[who] is not None)
    assert both == {True, False}


def test_the_lines_of_an_order_add_up_to_what_was_paid(small):
    _, events, lines = small
    orders = events.filter(pc.field("name") == "Order Completed")
    paid = dict(zip(orders["number"].to_pylist(), orders["amount"].to_pylist(), strict=True))
    sums: Counter[int] = Counter()
    for number, amount, kind in zip(*(lines[c].to_pylist() for c in ("number", "amount", "kind")), strict=True):
        if kind == "sale":
            sums[number] += amount
    assert sums == paid
    refunds = events.filter(pc.field("name") == "Order Refunded")
    back = lines.filter(pc.field("kind") == "refund")
    assert back["number"].to_pylist() == refunds["number"].to_pylist()
    assert [-a for a in back["amount"].to_pylist()] == refunds["amount"].to_pylist()
    assert set(refunds["order_id"].to_pylist()) <= set(orders["order_id"].to_pylist())


def test_the_products_of_an_order_are_its_lines(small):
    _, events, lines = small
    some = events.filter(pc.field("name") == "Order Completed").slice(0, 300)
    by_event: dict[int, list[tuple[str, int, int]]] = {}
    for row in lines.filter(pc.field("paid")).to_pylist():
        by_event.setdefault(row["number"], []).append((row["product_id"], row["quantity"], row["amount"]))
    for row in some.to_pylist():
        products = json.loads(row["properties"], parse_float=Decimal)["products"]
        assert by_event[row["number"]] == [
            (p["product_id"], p["quantity"] * 1000, int(p["price"] * 100) * p["quantity"]) for p in products
        ]


def test_identities_are_distinct_and_phones_are_valid(small):
    made, _, _ = small
    for column in ("key", "anonymous_id", "phone", "email", "member_card"):
        values = made.customers[column].drop_null().to_pylist()
        assert len(set(values)) == len(values) > 500
    for phone in made.customers["phone"].drop_null().to_pylist()[:50]:
        assert phonenumbers.is_valid_number(phonenumbers.parse(phone))
    unknown = made.customers.filter(pc.invert(pc.field("known")))
    assert 100 < unknown.num_rows < 300
    assert all(unknown[c].null_count == unknown.num_rows for c in ("name", "phone", "email", "member_card", "joined"))


def test_the_bad_store_shows_in_complaints_and_in_scores(small):
    made, events, _ = small
    orders, complaints, low = Counter(), Counter(), Counter()
    for name, store, score in zip(*(events[c].to_pylist() for c in ("name", "store", "score")), strict=True):
        orders[store] += name == "Order Completed"
        complaints[store] += name == "Complaint Filed"
        low[store] += name == "Survey Answered" and score <= 3
    bad = made.truths()["bad_store"]
    for counts in (complaints, low):
        rates = {s: counts[s] / orders[s] for s in orders if s}
        first, second = sorted(rates, key=rates.__getitem__, reverse=True)[:2]
        assert first == bad
        assert rates[first] > 2 * rates[second]


def test_who_leaves_buys_no_more_once_silent(small):
    made, events, _ = small
    leaving = made.truths()["leaving"]
    assert set(leaving["reason"]) == {"price", "service", "competitor", "other"}
    keys = {k: i for i, k in enumerate(made.customers["key"].to_pylist())}
    silent = {
        keys[k]: clock.day_number(date.fromisoformat(d))
        for k, d in zip(leaving["customers"], leaving["silent_from"], strict=True)
    }
    orders = events.filter(pc.field("name") == "Order Completed")
    for who, day in zip(orders["customer"].to_pylist(), orders["day"].to_pylist(), strict=True):
        assert day < silent.get(who, 1 << 30) + 7


def test_weekly_people_come_on_their_day(small):
    made, events, _ = small
    weekly = made.truths()["weekly"]
    keys = {k: i for i, k in enumerate(made.customers["key"].to_pylist())}
    weekday = {keys[k]: d for k, d in zip(weekly["customers"], weekly["weekday"], strict=True)}
    assert len(weekday) > 50
    orders = events.filter(pc.field("name") == "Order Completed")
    for who, day in zip(orders["customer"].to_pylist(), orders["day"].to_pylist(), strict=True):
        if who in weekday:
            assert (day + 3) % 7 == weekday[who]


def test_each_category_sells_best_in_its_season(small):
    made, _, lines = small
    paid = lines.filter(pc.field("paid"))
    season = Counter(zip(paid["category"].to_pylist(), (m % 12 for m in paid["month"].to_pylist()), strict=True))
    for category in chain.CATEGORIES:
        if category.swing < 0.8:
            continue
        peak = int((category.peak - 1) / 30.44) % 12
        near = sum(season[category.name, (peak + i) % 12] for i in (-1, 0, 1))
        far = sum(season[category.name, (peak + 6 + i) % 12] for i in (-1, 0, 1))
        assert near > 2 * far, category.name


def test_price_sensitive_people_use_coupons_and_quality_oriented_ones_spend_more(small):
    made, events, _ = small
    truths = made.truths()
    keys = made.customers["key"].to_pylist()
    kinds = dict.fromkeys(truths["price_sensitive"], "price") | dict.fromkeys(truths["quality_oriented"], "quality")
    orders = events.filter(pc.field("name") == "Order Completed")
    many, coupons, spent = Counter(), Counter(), Counter()
    for who, properties, amount in zip(
        *(orders[c].to_pylist() for c in ("customer", "properties", "amount")), strict=True
    ):
        kind = kinds.get(keys[who], "ordinary")
        many[kind] += 1
        coupons[kind] += '"coupon"' in properties
        spent[kind] += amount
    assert coupons["price"] / many["price"] > 0.4 > 0.2 > coupons["ordinary"] / many["ordinary"]
    assert spent["quality"] / many["quality"] > 1.5 * spent["price"] / many["price"]


def test_an_empty_world_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        world(1, 0, LAST)


@pytest.mark.parametrize("customers", [1, 2, 5, 17])
def test_the_smallest_worlds_work(customers):
    made = world(3, customers, LAST)
    assert sum(events.num_rows for events, _ in made.batches()) >= 0
