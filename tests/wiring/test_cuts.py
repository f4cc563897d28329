"""However the stream is cut into requests and transactions, the same is known afterwards."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import TestCase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regulars.customers import memory
from regulars.customers import queries as customers
from regulars.customers.models import Customer, Identity
from regulars.eventlog import dispatch, quarantine, queries
from regulars.eventlog.ingest.inbox import Inbox, packed
from regulars.wiring import receiving

pytestmark = pytest.mark.django_db

RECEIVED = 1_780_000_000_000_000

_WHO = st.fixed_dictionaries(
    {},
    optional={
        "anonymousId": st.sampled_from(["a1", "a2", "a3", 7]),
        "userId": st.sampled_from(["u1", "u2", "u3", "null", 9]),
    },
)
_TRAITS = st.fixed_dictionaries(
    {},
    optional={
        "email": st.sampled_from(["li@example.com", "Han@Example.com", "no address"]),
        "phone": st.sampled_from(["13812345678", "13812345679"]),
        "name": st.sampled_from(["李雷", "韩梅梅", ""]),
        "plan": st.sampled_from(["gold", "silver", None, 3]),
    },
)
_CONTEXT = st.fixed_dictionaries(
    {},
    optional={
        "locale": st.just("zh-CN"),
        "ip": st.just("10.0.0.1"),
        "traits": _TRAITS,
        "device": st.sampled_from([{"id": "d1", "model": "M"}, {"id": "d2"}]),
    },
)
_PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "price": st.sampled_from([12, 12.5, "12.5", "much", None]),
        "product_id": st.sampled_from(["P1", 1001, "\0", True]),
        "note": st.sampled_from(["好", "a\tb", ""]),
    },
)
_CALLS = st.one_of(
    st.builds(lambda properties: {"type": "page", "name": "Coat", "properties": properties}, _PROPERTIES),
    st.builds(
        lambda name, properties: {"type": "track", "event": name, "properties": properties},
        st.sampled_from(["Product Viewed", "Coat Tried On", "", "Customer Erased"]),
        _PROPERTIES,
    ),
    st.builds(lambda traits: {"type": "identify", "traits": traits}, _TRAITS),
    st.just({"type": "alias", "previousId": "a2"}),
)
_EVENTS = st.lists(
    st.builds(
        lambda who, call, context, place, minute: {
            **who, **call, "messageId": f"m{place}", "timestamp": f"2026-05-01T0{minute // 60}:{minute % 60:02}:00Z",
            **({"context": context} if context else {}),
        },
        _WHO, _CALLS, _CONTEXT, st.integers(1, 40), st.integers(0, 300),
    ),
    min_size=1,
    max_size=25,
)  # fmt: skip


class _Undone(Exception):
    pass


def _world() -> Any:
    """All that is known, with records numbered by their order."""
    dispatch.number()
    number = {id: place for place, id in enumerate(Customer.objects.order_by("id").values_list("id", flat=True))}
    roots = dict(Customer.objects.values_list("id", "root_id"))
    cards = customers.by_ids(number)
    log = queries.after(0, 10_000)
    return (
        [
            (row.message_id, row.name, number.get(row.record_id or 0), row.at, row.properties, row.context)
            for row in log
            if row.source == "track:7"
        ],
        sorted((row.name, number[row.record_id or 0], row.at) for row in log if row.source != "track:7"),
        [
            (number[roots[id]], cards[id].name, cards[id].known, facts)
            for id, facts in Customer.objects.order_by("id").values_list("id", "facts")
        ],
        sorted((kind, value, number[id]) for kind, value, id in Identity.objects.values_list("kind", "value", "customer")),
        sorted(
            (row.digest, row.code, row.field, row.reason_en, row.reason_zh) for row in quarantine.Quarantined.objects.all()
        ),
    )  # fmt: skip


def _taken(folder: Path, requests: Sequence[Sequence[Any]], *, bytes_at_once: int) -> Any:
    """What the world is after these requests came into an empty one."""
    box = Inbox(folder)

    async def put() -> None:
        for events in requests:
            body = json.dumps({"batch": events}).encode()
            await box.put(packed(received_at=RECEIVED, key_id=7, kind="batch", sent_at="", body=body))

    memory.forget()
    try:
        with transaction.atomic():
            asyncio.run(put())
            more = True
            while more:
                with TestCase.captureOnCommitCallbacks(execute=True):
                    more = receiving.drain(bytes_at_once=bytes_at_once) > 0
            world = _world()
            raise _Undone
    except _Undone:
        pass
    finally:
        box.close()
        for segment in folder.iterdir():
            segment.unlink()
    return world


@given(events=_EVENTS, cuts=st.lists(st.integers(1, 6), min_size=1), bytes_at_once=st.integers(1, 4000))
@settings(
    max_examples=int(os.environ.get("REGULARS_EXAMPLES", 40)), deadline=None, suppress_health_check=list(HealthCheck)
)
def test_a_stream_counts_the_same_however_it_is_cut(
    home: Path, events: list[Any], cuts: list[int], bytes_at_once: int
) -> None:
    requests: list[list[Any]] = []
    start = 0
    while start < len(events):
        size = cuts[len(requests) % len(cuts)]
        requests.append(events[start : start + size])
        start += size
    together = _taken(home / "inbox", [events], bytes_at_once=2**21)
    assert _taken(home / "inbox", requests, bytes_at_once=bytes_at_once) == together
    assert _taken(home / "inbox", [[event] for event in events], bytes_at_once=1) == together


def test_a_merge_has_the_time_of_the_first_event_that_came_however_the_stream_is_cut(home: Path) -> None:
    def event(place: int, minute: int, **who: str) -> dict[str, Any]:
        at = f"2026-05-01T00:{minute:02}:00Z"
        return {"type": "page", "name": "Coat", "messageId": f"m{place}", "timestamp": at, **who}

    events = [
        event(1, 5, anonymousId="a1"), event(2, 6, userId="u1"), event(3, 50, anonymousId="a1", userId="u1"),
        event(4, 10, anonymousId="a1", userId="u1"),
    ]  # fmt: skip
    together = _taken(home / "inbox", [events], bytes_at_once=2**21)
    assert _taken(home / "inbox", [[one] for one in events], bytes_at_once=1) == together
    assert [(name, at.minute) for name, _, at in together[1]] == [("Customer Identified", 6), ("Customers Merged", 50)]
