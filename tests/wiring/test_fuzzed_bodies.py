"""Whatever is sent to the tracking API: no fault of ours, nothing lost, nothing invented. Every event carries a mark;
of each acknowledged request every mark is in the log once or in quarantine once, or its message id was there before.

REGULARS_TEST_EXAMPLES says how many requests.
"""

import asyncio
import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from regulars.eventlog.ingest import door, envelope
from regulars.eventlog.ingest.inbox import Inbox
from regulars.eventlog.ingest.keys import WriteKeys
from regulars.eventlog.models import Event, Quarantined
from regulars.wiring import receiving

pytestmark = pytest.mark.django_db

ODD = some.one_of(
    some.none(), some.booleans(), some.integers(-(10**30), 10**30), some.floats(), some.text(max_size=20),
    some.sampled_from([
        "\0", "\ud800", "9" * 500, "2026-01-02T03:04:05Z", "0001-01-01", "9999-12-31T23:59:59.999Z", 2**63, -(2**64),
        10**300, 1e308, "=1+1", "null", "[object Object]", "\u202e", "1e999", "Infinity",
    ]),
)  # fmt: skip
JSON = some.recursive(
    ODD,
    lambda deeper: some.one_of(
        some.lists(deeper, max_size=4), some.dictionaries(some.text(max_size=8), deeper, max_size=4)
    ),
    max_leaves=8,
)
PROPERTIES = some.dictionaries(
    some.sampled_from(["order_id", "total", "currency", "products", "score", "store", "x", "price", "quantity"]),
    JSON | some.lists(some.dictionaries(some.sampled_from(["product_id", "price", "quantity"]), JSON), max_size=2),
    max_size=4,
)
GOOD = some.fixed_dictionaries(
    {
        "type": some.sampled_from(["track", "track", "track", "identify", "page", "screen", "group", "alias"]),
        "event": some.sampled_from(["Order Completed", "Product Viewed", "Survey Answered", "Coat Tried On"]),
        "userId": some.sampled_from(["u1", "u2", "u3"]),
        "previousId": some.sampled_from(["a1", "a2"]),
        "groupId": some.just("g"),
    },
    optional={
        "anonymousId": some.sampled_from(["a1", "a2"]),
        "messageId": some.sampled_from([f"m{n}" for n in range(9)]) | some.uuids().map(str),
        "timestamp": some.just("2026-01-02T03:04:05Z"),
        "properties": some.fixed_dictionaries({}, optional={"order_id": some.just("o1"), "total": some.just(5)}),
    },
)
ODDITIES = some.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("type", "event", "userId", "anonymousId", "previousId", "groupId", "messageId", "timestamp",
         "originalTimestamp", "sentAt", "channel"), ODD,
    )
    | {"properties": PROPERTIES | JSON, "traits": PROPERTIES | JSON, "context": JSON},
)  # fmt: skip
EVENT = some.one_of(GOOD, some.builds(lambda good, odd: good | odd, GOOD, ODDITIES), JSON)
KINDS = ["batch", "batch", "batch", "import", "track", "identify", "page", "alias", "group", "screen"]
MARKS = count()


@pytest.fixture
def box(home: Path) -> Iterator[Inbox]:
    opened = receiving.open_inbox()
    yield opened
    opened.close()


def sent(box: Inbox, kind: str, body: bytes) -> int:
    """The status of the door's answer; what it took in is in the database."""
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "http", "method": "POST", "path": f"/v1/{kind}", "query_string": b"writeKey=rw", "headers": []}
    asyncio.run(door.Door(box, WriteKeys(lambda: {"rw": 1}))(scope, receive, send))
    while receiving.drain():
        pass
    return int(said[0]["status"])


def marked(event: Any) -> Any:
    """With a mark beside everything, for quarantine, and one in the context, which the log keeps."""
    if not isinstance(event, dict):
        return event
    context = event.get("context")
    mark = next(MARKS)
    if context in (None, [], "") or isinstance(context, dict):
        event = event | {"context": (context or {}) | {"mark": mark}}
    return event | {"mark": mark}


def stored() -> dict[str, Any]:
    """Message id → mark, of the events that came from outside."""
    return {
        id: context["mark"]
        for id, context in Event.objects.filter(source__startswith="track:").values_list("message_id", "context")
    }


def put_aside() -> list[Any]:
    return list(Quarantined.objects.values_list("payload", flat=True))


def as_stored(value: Any) -> str:
    """A message id as the log has it: number or text, without what JSON readers or databases refuse."""
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        value = float(value)
    mended = envelope.mended(json.dumps(str(value)).encode())
    return str(json.loads(mended)).replace("\0", "\ufffd").strip()


@pytest.mark.timeout(1800)
def test_every_event_of_an_acknowledged_request_is_stored_once_known_or_quarantined(box: Inbox) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=int(os.environ.get("REGULARS_TEST_EXAMPLES", "40")),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(some.sampled_from(KINDS), some.lists(EVENT, max_size=5), some.booleans())
    def fuzz(kind: str, events: list[Any], packed: bool) -> None:
        many = kind in ("batch", "import")
        events = [marked(event) for event in (events if many else events[:1] or [{}])]
        body = json.dumps({"batch": events} if many else events[0]).encode()
        before, aside = stored(), put_aside()
        status = sent(box, kind, gzip.compress(body) if packed else body)
        after, bad = stored(), put_aside()[len(aside) :]
        seen[f"{status}"] += 1
        if status != 200:
            assert status == 400 and (after, bad) == (before, []), "what was refused leaves nothing"
            return
        new = Counter(after[id] for id in after.keys() - before.keys())
        new.update(one["mark"] for one in bad if isinstance(one, dict) and "mark" in one)
        nameless, duplicates = 0, 0
        for event in events:
            if not isinstance(event, dict):
                continue
            mark, id = event["mark"], event.get("messageId")
            assert new[mark] <= 1
            named = id is not None and as_stored(id) != ""
            if not new.pop(mark, 0):
                assert named and as_stored(id) in after, "what is nowhere was there before"
                duplicates += 1
            elif not named:
                nameless += 1
        assert not new, "nothing was invented"
        plain = [json.dumps(event, sort_keys=True) for event in events if not isinstance(event, dict)]
        others = [one for one in bad if not isinstance(one, dict) or "mark" not in one]
        assert len(others) <= len(set(plain)), "what isn't an object lies in quarantine once"
        seen.update(stored=len(after) - len(before), duplicates=duplicates, quarantined=len(bad))
        known = len(plain) - len(others)
        assert len(events) == (len(after) - len(before)) + len(bad) + duplicates + known

        assert sent(box, kind, body) == 200
        again = len(stored()) - len(after), len(put_aside()) - len(aside) - len(bad)
        assert sum(again) == nameless, "sent again, what has a message id changes nothing"

    fuzz()
    print(dict(seen))
    assert min(seen[what] for what in ("stored", "quarantined")) > 0


@pytest.mark.timeout(1800)
def test_a_spoilt_body_is_refused_and_leaves_nothing_or_is_accepted_and_can_be_found(box: Inbox) -> None:
    whole = json.dumps({"batch": [
        {"type": "track", "event": "Order Completed", "userId": "u1", "messageId": "m1", "context": {"mark": 1}},
        {"type": "identify", "userId": "顾客", "traits": {"email": "li@example.com"}, "context": {"mark": 2}},
    ]}).encode()  # fmt: skip

    @settings(
        max_examples=int(os.environ.get("REGULARS_TEST_EXAMPLES", "40")),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        some.sampled_from(KINDS),
        some.sampled_from([whole, gzip.compress(whole, mtime=0)]),
        some.integers(0, 400),
        some.integers(0, 400),
        some.binary(max_size=6),
    )
    def fuzz(kind: str, body: bytes, start: int, end: int, between: bytes) -> None:
        start, end = sorted((min(start, len(body)), min(end, len(body))))
        before = len(Event.objects.filter(source__startswith="track:")), Quarantined.objects.count()
        status = sent(box, kind, body[:start] + between + body[end:])
        after = len(Event.objects.filter(source__startswith="track:")), Quarantined.objects.count()
        assert status in (200, 400, 413)
        new = after[0] - before[0] + after[1] - before[1]
        assert new == 0 if status != 200 else new <= 2

    fuzz()
