"""Appending: dedupe, dense positions, what comes back is what went in."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connection, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regulars.eventlog import dispatch, queries, services
from regulars.eventlog.models import Event
from regulars.kernel import ids
from tests.eventlog.conftest import NOON, event


def numbered() -> list[tuple[int, str]]:
    while dispatch.number():
        pass
    return [(row.position or 0, row.message_id) for row in queries.after(0, 100_000)]


def test_events_are_new_once_in_the_log_and_once_in_a_batch(db: None) -> None:
    assert services.append([event("a"), event("b"), event("a")]) == [True, True, False]
    assert services.append([event("b"), event("c")]) == [False, True]
    assert services.append([]) == []
    assert numbered() == [(1, "a"), (2, "b"), (3, "c")]


def test_the_first_of_two_with_the_same_message_id_stays(db: None) -> None:
    services.append([event("a", properties={"n": 1}), event("a", properties={"n": 2})])
    services.append([event("a", properties={"n": 3})])
    assert queries.by_message_id("a").properties == {"n": 1}


def test_what_comes_back_is_what_went_in(db: None) -> None:
    east = timezone(timedelta(hours=8))
    properties = {"茶": "龙井 🍵", "n": 1.5, "deep": [{"x": None, "y": True}], "big": 2**60, "q": "\"'\\%s%%"}
    services.append(
        [
            event(
                "é-1", "下单 100%", record=2**40, at=datetime(2026, 3, 1, 20, 0, 0, 123456, tzinfo=east),
                properties=properties, context={"library": {"name": "x"}}, actor="key:3",
            )
        ]
    )  # fmt: skip
    row = queries.by_message_id("é-1")
    assert (row.name, row.record_id, row.source, row.actor) == ("下单 100%", 2**40, "track:1", "key:3")
    assert (row.at, row.received_at) == (datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC), NOON)
    assert (row.properties, row.context) == (properties, {"library": {"name": "x"}})


def test_the_orm_reads_what_append_wrote(db: None) -> None:
    services.append([event("a", properties={"n": [1]}, minutes=1)])
    row = Event.objects.get()
    assert (row.at, row.received_at, row.properties) == (NOON + timedelta(minutes=1), NOON, {"n": [1]})


def test_what_no_database_takes_is_left_out_and_does_not_cost_the_batch(db: None) -> None:
    odd = event("n\0ul", "na\0me", properties={"a\0": "b\0c", "half": "\ud800", "kept": "\\u0000", "list": ["\0"]})
    assert services.append([event("a"), odd]) == [True, True]
    row = queries.by_message_id("nul")
    assert (row.name, row.properties) == ("name", {"a": "bc", "half": "?", "kept": "\\u0000", "list": [""]})
    assert services.append([odd]) == [False]


def test_a_transaction_that_is_rolled_back_leaves_no_event_and_no_gap(transactional_db: None) -> None:
    services.append([event("a")])
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.append([event("b")])
        raise ZeroDivisionError
    services.append([event("c")])
    assert numbered() == [(1, "a"), (2, "c")]


def test_positions_go_on_after_the_log_was_emptied(db: None) -> None:
    services.append([event("a"), event("b")])
    numbered()
    Event.objects.all().delete()
    services.append([event("c")])
    assert numbered() == [(3, "c")]


def test_a_batch_takes_a_handful_of_statements_whatever_its_size(
    transactional_db: None, django_assert_max_num_queries: Any
) -> None:
    services.append([event("first")])
    with django_assert_max_num_queries(8):
        services.append([event(f"m{n}") for n in range(5000)])
    assert queries.after(0, 1) == [] or queries.last_position() == 5001


def test_two_threads_that_append_get_dense_positions_in_the_order_of_commit(
    transactional_db: None, wait_for: Callable[..., None]
) -> None:
    """The first begins first and commits last: on SQLite the second waits for it, on PostgreSQL it overtakes it."""
    begun, may_commit, committed = threading.Event(), threading.Event(), list[str]()

    def first() -> None:
        with transaction.atomic():
            services.append([event("slow 1"), event("slow 2")])
            begun.set()
            may_commit.wait(20)
            transaction.on_commit(lambda: committed.append("slow"))
        connections.close_all()

    def second() -> None:
        begun.wait(20)
        with transaction.atomic():
            services.append([event("quick 1"), event("quick 2")])
            transaction.on_commit(lambda: committed.append("quick"))
        connections.close_all()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    begun.wait(20)
    if connection.vendor == "postgresql":
        wait_for(lambda: committed == ["quick"], what="the second to commit")
        assert numbered() == [(1, "quick 1"), (2, "quick 2")]  # nothing is handed on past the one still to come
    may_commit.set()
    for thread in threads:
        thread.join(20)
    order = [f"{who} {n}" for who in committed for n in (1, 2)]
    assert sorted(committed) == ["quick", "slow"]
    assert numbered() == list(enumerate(order, 1))


def test_many_threads_with_overlapping_batches_store_each_event_once_in_dense_positions(transactional_db: None) -> None:
    accepted: list[int] = []

    def work(place: int) -> None:
        for start in range(0, 200, 50):
            batch = [event(f"m{(start + n + place * 25) % 200}") for n in range(50)]
            for attempt in range(5):  # PostgreSQL ends one of two that wait for each other; intake tries again
                try:
                    accepted.append(sum(services.append(sorted(batch, key=lambda one: one.message_id))))
                    break
                except Exception:
                    if attempt == 4:
                        raise
        connections.close_all()

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    got = numbered()
    assert [position for position, _ in got] == list(range(1, 201))
    assert {message_id for _, message_id in got} == {f"m{n}" for n in range(200)}
    assert sum(accepted) == 200


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e6, 1e6, width=32)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(st.tuples(st.integers(0, 12), _json), max_size=6), max_size=4))
def test_any_batches_equal_a_dictionary_that_keeps_the_first(
    transactional_db: None, batches: list[list[tuple[int, Any]]]
) -> None:
    run = ids.new_id()  # the table isn't emptied between examples
    kept: dict[str, Any] = {}
    for batch in batches:
        events = [event(f"{run}-{key}", properties={"value": value}) for key, value in batch]
        expected = []
        for one in events:
            expected.append(one.message_id not in kept)
            kept.setdefault(one.message_id, one.properties)
        assert services.append(events) == expected
    numbered()
    last = queries.last_position()
    rows = queries.after(last - len(kept), len(kept))
    assert {row.message_id: row.properties for row in rows} == kept
    assert [row.message_id for row in rows] == list(kept)
    assert [row.position for row in rows] == list(range(last - len(kept) + 1, last + 1))


@pytest.mark.alone
def test_tens_of_thousands_of_events_a_second_are_appended(transactional_db: None) -> None:
    """By the time of the processor, because a busy machine says nothing about us."""
    events = [event(ids.new_id(), record=n % 500, minutes=n, properties={"price": 12.5}) for n in range(30_000)]
    begin = time.process_time()
    for start in range(0, len(events), 5000):
        services.append(events[start : start + 5000])
    assert len(events) / (time.process_time() - begin) > (30_000 if connection.vendor == "sqlite" else 5_000)
