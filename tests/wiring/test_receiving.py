"""Intake: what was accepted is in the log or in quarantine exactly once, whatever happens on the way."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regulars.accounts.actors import SYSTEM
from regulars.customers import queries as customers
from regulars.eventlog import dispatch, intake, quarantine, queries
from regulars.eventlog.ingest import inbox
from regulars.eventlog.ingest.inbox import Inbox, packed
from regulars.kernel import clock
from regulars.wiring import receiving

pytestmark = pytest.mark.django_db


@pytest.fixture
def box(home: Path) -> Iterator[Inbox]:
    one = Inbox(home / "inbox", segment_bytes=2000)
    yield one
    one.close()


def accept(box: Inbox, *batches: list[Any], kind: str = "batch") -> None:
    async def put() -> None:
        for events in batches:
            body = json.dumps({"batch": events}).encode()
            await box.put(packed(received_at=clock.micros(), key_id=7, kind=kind, sent_at="", body=body))

    asyncio.run(put())


def track(id: str, user: str = "u1", **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Coat Tried On", "userId": user, "messageId": id, **more}


def tracked() -> list[Any]:
    """The events that came from outside; resolving makes others of its own."""
    dispatch.number()
    return [row for row in queries.after(0, 10_000) if row.source == "track:7"]


def drain(box: Inbox, **options: Any) -> None:
    while receiving.drain(**options):
        pass


def put_aside() -> list[Any]:
    return queries.quarantined_events(quarantine.Quarantined.objects.order_by("id"))


def test_what_was_accepted_is_in_the_log_with_its_customer(box: Inbox) -> None:
    accept(box, [track("m1"), track("m2", "u2"), track("m3", properties={"size": "L"})])
    drain(box)
    rows = tracked()
    assert [(row.message_id, row.name, row.source) for row in rows] == [
        (id, "Coat Tried On", "track:7") for id in ("m1", "m2", "m3")
    ]
    assert rows[0].record_id == rows[2].record_id != rows[1].record_id
    assert rows[2].properties == {"size": "L"}


def test_anonymous_events_belong_to_the_customer_who_is_identified_later(box: Inbox) -> None:
    browsing = {"type": "page", "anonymousId": "a1", "messageId": "p1"}
    told = {"type": "identify", "anonymousId": "a1", "userId": "u1", "traits": {"email": "li@example.com"}}
    accept(box, [browsing], [{**told, "messageId": "i1"}], [track("m1")])
    drain(box)
    rows = tracked()
    assert [row.name for row in rows] == ["Page Viewed", "Traits Updated", "Coat Tried On"]
    assert len(set(customers.roots_of({row.record_id for row in rows}).values())) == 1
    assert "li@example.com" not in json.dumps([[row.properties, row.context] for row in rows])


def test_what_a_client_remembers_of_its_user_counts_where_nobody_said_anything_else(box: Inbox) -> None:
    def remembers(id: str, day: int, **traits: Any) -> dict[str, Any]:
        return {**track(id), "timestamp": f"2026-03-{day:02}T10:00:00Z", "context": {"traits": traits}}

    def known() -> dict[str, Any]:
        (root,) = set(customers.roots_of({row.record_id for row in tracked()}).values())
        profile = customers.get(root)
        return {name: value for name, value in (profile.fields | profile.custom).items() if value is not None}

    accept(box, [remembers("m1", 5, phone="13800138000", name="Li Lei", city="Suzhou", plan="gold", birthday="soon")])
    drain(box)
    assert known() == {"name": "Li Lei", "city": "Suzhou"}  # known fields alone
    accept(box, [remembers("m2", 4, name="Late"), remembers("m3", 6, firstName="Han", lastName="Mei")])
    drain(box)
    assert known() == {"name": "Han Mei", "city": "Suzhou"}  # the latest of those remembered, whenever it came
    said = {"type": "identify", "userId": "u1", "messageId": "i1", "timestamp": "2026-03-01T10:00:00Z"}
    accept(box, [{**said, "traits": {"name": "Han Meimei"}}])
    drain(box)
    accept(box, [remembers("m4", 9, name="Han Mei", gender="f"), remembers("m5", 9, phone="13800138000")])
    drain(box)
    assert known() == {"name": "Han Meimei", "city": "Suzhou", "gender": "female"}  # what was said stands


def test_bad_events_are_put_aside_and_harm_no_other(box: Inbox) -> None:
    accept(box, [track("m1"), {**track("m2"), "event": None}, 5, track("m3")])
    drain(box)
    assert [row.message_id for row in tracked()] == ["m1", "m3"]
    assert [(one.code, one.source) for one in put_aside()] == [("no_name", "track:7"), ("not_an_object", "track:7")]


@pytest.mark.parametrize("pair", ["[]", "{}"], ids=["lists", "objects"])
@pytest.mark.parametrize("type", ["track", "charge"])
def test_an_event_of_many_layers_is_put_aside_as_its_text_and_holds_nothing_up(
    box: Inbox, pair: str, type: str
) -> None:
    layers = [90, 150, 480, 700, 990, 5000]
    for depth in layers:
        deep = (pair[0] + '"a":' * (pair == "{}")) * depth + '"\\u0000"' + pair[1] * depth
        event = f'{{"type": "{type}", "event": "A", "userId": "u1", "messageId": "m{depth}", "properties": {{"x": {deep}}}}}'
        asyncio.run(_put(box, f'{{"batch": [{event}]}}'.encode()))
    accept(box, [track("after")])
    drain(box)
    flat = ["m90"] if type == "track" else []
    assert [row.message_id for row in tracked()] == [*flat, "after"]
    aside = put_aside()
    assert len(aside) == len(layers) - len(flat)
    deep_ones = aside[-5:]
    assert {one.code for one in deep_ones} <= {"too_deep", "unreadable"} and deep_ones[0].code == "too_deep"
    assert all(isinstance(one.payload, str) for one in deep_ones)
    assert deep_ones[0].reason.zh == "事件中的对象或列表嵌套超过 100 层。请发送层级较浅的属性。"
    assert quarantine.replay(ids=[one.id for one in aside], intake=receiving.send_in_again, by=SYSTEM) == 0


def test_many_layers_around_the_events_of_a_batch_hold_nothing_up(box: Inbox) -> None:
    deep = "[" * 600 + "]" * 600
    for number, around in enumerate((f'"context": {{"x": {deep}}}', f'"sentAt": {deep}')):
        for type in ("track", "charge"):
            event = json.dumps({**track(f"m{number}"), "type": type})
            asyncio.run(_put(box, f'{{"batch": [{event}], {around}}}'.encode()))
    accept(box, [track("after")])
    drain(box)
    assert [row.message_id for row in tracked()] == ["m1", "after"]
    assert [one.code for one in put_aside()] == ["too_deep", "unknown_type", "unknown_type"]


async def _put(box: Inbox, body: bytes) -> None:
    await box.put(packed(received_at=clock.micros(), key_id=7, kind="batch", sent_at="", body=body))


def test_what_is_sent_again_changes_nothing(box: Inbox) -> None:
    accept(box, [track("m1"), {**track("m2"), "event": None}])
    drain(box)
    accept(box, [track("m1"), {**track("m2"), "event": None}, track("m1")])
    drain(box)
    assert len(tracked()) == len(put_aside()) == 1


def test_files_go_when_all_of_them_is_taken_in(box: Inbox) -> None:
    for number in range(60):
        accept(box, [track(f"m{number}")])
    assert len(inbox.segments(box.folder)) > 2
    drain(box, bytes_at_once=700)
    assert len(tracked()) == 60
    (left,) = inbox.segments(box.folder)
    assert inbox.written(box.folder).open == left
    assert receiving.drain() == 0
    assert set(intake.places()) <= {left}


def test_an_old_file_goes_too_once_all_of_it_is_taken_in(home: Path, wait_for: Callable[..., None]) -> None:
    box = Inbox(home / "inbox", open_for=300_000)
    accept(box, [track("m1")])
    drain(box)
    wait_for(lambda: not inbox.written(box.folder).open, 10, "the writer to close it for its age")
    drain(box)
    assert inbox.segments(box.folder) == [] and inbox.backlog(box.folder) == 0
    accept(box, [track("m2")])
    drain(box)
    assert set(intake.places()) <= set(inbox.segments(box.folder)) | {inbox.written(box.folder).open}
    assert [row.message_id for row in tracked()] == ["m1", "m2"]
    box.close()


def test_what_comes_while_files_are_closed_for_their_age_is_taken_in(home: Path) -> None:
    box = Inbox(home / "inbox", open_for=1)
    names = [f"n{number}" for number in range(20)]
    for name in names:
        accept(box, [track(name)])
    box.close()
    assert len(inbox.segments(box.folder)) == 20
    drain(box)
    assert inbox.segments(box.folder) == []
    assert [row.message_id for row in tracked()] == names


TRY_LOCK = """
import fcntl, sys
with open(sys.argv[1]) as file:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
"""


def test_no_process_takes_anything_in_while_it_is_paused(box: Inbox, home: Path) -> None:
    def may_take() -> bool:
        tried = [sys.executable, "-c", TRY_LOCK, str(home / "intake.gate")]
        return subprocess.run(tried, stderr=subprocess.DEVNULL, check=False).returncode == 0

    accept(box, [track("m1")])
    with receiving.paused():
        assert not may_take()
    assert may_take()
    drain(box)
    assert len(tracked()) == 1


def test_a_restarted_intake_goes_on_where_it_was(box: Inbox) -> None:
    accept(box, [track("m1")])
    drain(box)
    accept(box, [track("m2")])
    box.close()
    again = Inbox(box.folder)
    accept(again, [track("m3")])
    drain(again)
    assert [row.message_id for row in tracked()] == ["m1", "m2", "m3"]
    assert len(inbox.segments(again.folder)) == 1
    again.close()


class Failing:
    """A database whose nth statement fails."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self, execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise OperationalError("disk I/O error")
        return execute(sql, params, many, context)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 40), max_size=4), st.integers(200, 3000))
def test_a_database_that_fails_at_any_statement_costs_nothing_and_doubles_nothing(
    box: Inbox, failures: list[int], bytes_at_once: int
) -> None:
    before, aside = len(tracked()), len(put_aside())
    events = [{**track(""), "messageId": None, "userId": f"u{number % 3}"} for number in range(6)]
    for event in events:
        accept(box, [event, {"type": "charge"}])
    for failing in failures:
        with connection.execute_wrapper(Failing(failing)), contextlib.suppress(OperationalError):
            drain(box, bytes_at_once=bytes_at_once)
    drain(box, bytes_at_once=bytes_at_once)
    assert len(tracked()) == before + 6
    assert len(put_aside()) == aside + 6


def test_an_event_that_cant_be_stored_stands_alone_in_quarantine(box: Inbox) -> None:
    def refuse(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        if sql.startswith("INSERT INTO eventlog_event") and "poison" in str(params):
            raise DataError("unsupported Unicode escape sequence")
        return execute(sql, params, many, context)

    accept(box, [track(f"m{number}", properties={"size": "poison"} if number == 5 else {}) for number in range(9)])
    with connection.execute_wrapper(refuse):
        drain(box)
    assert [row.message_id for row in tracked()] == ["m0", "m1", "m2", "m3", "m4", "m6", "m7", "m8"]
    (bad,) = put_aside()
    assert (bad.code, bad.payload["messageId"]) == ("unprocessable", "m5")
    assert bad.reason.en != bad.reason.zh
    assert quarantine.replay(ids=[bad.id], intake=receiving.send_in_again, by=SYSTEM) == 1
    assert tracked()[-1].message_id == "m5"


def test_impossible_scores_and_negative_orders_lie_aside_until_they_are_repaired(box: Inbox) -> None:
    answer = {**track("s"), "event": "Survey Answered", "properties": {"kind": "nps", "score": 99}}
    order = {**track("o"), "event": "Order Completed", "properties": {"order_id": "A", "total": -5}}
    accept(box, [answer, order])
    drain(box)
    assert tracked() == []
    score, sale = put_aside()
    assert [(one.code, one.field) for one in (score, sale)] == [("out_of_range", "score"), ("negative", "total")]
    assert "0 到 10" in score.reason.zh and "Order Refunded" in sale.reason.en
    for one, right in (
        (score, {**answer, "properties": {"kind": "nps", "score": 9}}), (sale, {**order, "event": "Order Refunded"}),
    ):  # fmt: skip
        assert quarantine.repair(id=one.id, payload=right, intake=receiving.send_in_again, by=SYSTEM) is True
    assert [(row.name, row.properties) for row in tracked()] == [
        ("Survey Answered", {"kind": "nps", "score": 9}), ("Order Refunded", {"order_id": "A", "total": -5}),
    ]  # fmt: skip


def test_a_repaired_event_is_taken_in_once(box: Inbox) -> None:
    accept(box, [{**track("m1"), "event": None}])
    drain(box)
    (bad,) = put_aside()
    fixed = {**bad.payload, "event": "Coat Tried On"}
    assert (
        quarantine.repair(id=bad.id, payload={**fixed, "event": ""}, intake=receiving.send_in_again, by=SYSTEM) is False
    )
    assert quarantine.repair(id=bad.id, payload=fixed, intake=receiving.send_in_again, by=SYSTEM) is True
    assert quarantine.replay(ids=[bad.id], intake=receiving.send_in_again, by=SYSTEM) == 0
    (row,) = tracked()
    assert (row.message_id, row.received_at) == ("m1", bad.received_at)


def test_a_damaged_file_is_kept_and_what_can_be_read_of_it_is_taken_in(box: Inbox) -> None:
    accept(box, [track("m1")], [track("m2")], [track("m3")])
    box.close()
    path = box.folder / inbox.segments(box.folder)[0]
    second = inbox.read(box.folder, path.name, 0, limit=2**20).records[1].offset
    data = bytearray(path.read_bytes())
    data[second + 30] ^= 1
    path.write_bytes(data)
    again = Inbox(box.folder)
    drain(again)
    again.close()
    assert [row.message_id for row in tracked()] == ["m1", "m3"]
    assert path.with_suffix(".damaged").read_bytes() == data
    assert not path.exists()
