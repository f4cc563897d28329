"""Events that couldn't be taken: grouped by reason, repaired, replayed, discarded and fetched back."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from regulars.accounts.actors import Actor
from regulars.accounts.queries import audit
from regulars.catalog import Fault, check
from regulars.eventlog import quarantine, queries, services
from regulars.eventlog.quarantine import BadEvent
from regulars.eventlog.queries import QuarantinedEvent
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from regulars.kernel.languages import Text
from tests.eventlog.conftest import NOON, event

NOT_JSON = Fault("not_json", "", Text("Not JSON.", "不是 JSON。"))


def order(message_id: str, total: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Order Completed", "messageId": message_id, "properties": {"total": total}}


def bad(payload: Any, fault: Fault | None = None) -> BadEvent:
    if fault is None:
        fault = check(payload["event"], payload["properties"])
    assert fault is not None
    return BadEvent(payload, fault, "track:1", NOON)


def intake(events: Sequence[QuarantinedEvent]) -> list[Fault | None]:
    """What wiring does, in small: check, and append what is right."""
    faults = [check(one.payload["event"], one.payload["properties"]) for one in events]
    right = [one.payload for one, fault in zip(events, faults, strict=True) if fault is None]
    services.append([event(one["messageId"], one["event"], properties=one["properties"]) for one in right])
    return faults


def log() -> list[tuple[str, Any]]:
    return [(row.message_id, row.properties) for row in queries.recent()]


def test_what_lies_there_is_grouped_by_reason_the_most_frequent_first(db: None) -> None:
    quarantine.put([bad("{", NOT_JSON), bad(order("a", "x")), bad(order("b", "y"))])
    groups = queries.quarantine_groups()
    assert [(one.code, one.field, one.name, one.count) for one in groups] == [
        ("wrong_type", "total", "Order Completed", 2), ("not_json", "", "", 1),
    ]  # fmt: skip
    assert groups[0].example.en.startswith('Order Completed: total should be a number, but "y" came.')
    rows = queries.quarantined(code="wrong_type", field="total", name="Order Completed")
    assert [row.payload["messageId"] for row in rows] == ["b", "a"]
    assert [row.payload["messageId"] for row in queries.quarantined(before=rows[0].id, code="wrong_type")] == ["a"]


def test_the_same_event_sent_again_is_not_put_twice(db: None) -> None:
    quarantine.put([bad(order("a", "x")), bad(order("a", "x"))])
    quarantine.put([bad({**order("a", "x"), "sentAt": "2026-03-01T12:00:00Z"}), bad(order("a", "z"))])
    assert [row.payload["properties"] for row in queries.quarantined()] == [{"total": "z"}, {"total": "x"}]


def test_whatever_came_can_be_put_aside(db: None) -> None:
    quarantine.put(
        [bad({"nul": "a\0b", "n": [float("nan"), 10**30], "half": "\ud800"}, NOT_JSON), bad("\0\udcff", NOT_JSON)]
    )
    assert [row.payload for row in queries.quarantined()] == [
        "\ufffd?", {"nul": "a\ufffdb", "n": ["nan", str(10**30)], "half": "?"},
    ]  # fmt: skip


def test_a_repaired_event_is_taken_and_what_came_is_kept(actors: dict[str, Actor]) -> None:
    quarantine.put([bad(order("a", "x"))])
    id = queries.quarantined()[0].id
    assert quarantine.repair(id=id, payload=order("a", 9), intake=intake, by=actors["admin"])
    assert log() == [("a", {"total": 9})]
    row = queries.quarantined_event(id)
    assert (row.state, row.payload, row.original) == ("replayed", order("a", 9), order("a", "x"))
    with pytest.raises(Conflict):
        quarantine.repair(id=id, payload=order("a", 10), intake=intake, by=actors["admin"])


def test_a_repair_that_is_still_wrong_says_what_is_wrong_now(actors: dict[str, Actor]) -> None:
    quarantine.put([bad(order("a", "x"))])
    id = queries.quarantined()[0].id
    worse = {**order("a", 9), "properties": {"total": 9, "products": 3}}
    assert not quarantine.repair(id=id, payload=worse, intake=intake, by=actors["admin"])
    row = queries.quarantined_event(id)
    assert (row.state, row.field, row.original, log()) == ("open", "products", order("a", "x"), [])
    assert quarantine.repair(id=id, payload=order("a", 1), intake=intake, by=actors["admin"])
    assert queries.quarantined_event(id).original == order("a", "x")


def test_only_an_object_can_be_put_in_place(actors: dict[str, Actor]) -> None:
    quarantine.put([bad("{", NOT_JSON)])
    with pytest.raises(Invalid) as wrong:
        quarantine.repair(id=queries.quarantined()[0].id, payload="[]", intake=intake, by=actors["admin"])
    assert wrong.value.field == "payload"
    with pytest.raises(NotFound):
        quarantine.repair(id=10**9, payload={}, intake=intake, by=actors["admin"])


def test_replaying_takes_what_is_right_now_and_twice_changes_nothing(actors: dict[str, Actor]) -> None:
    quarantine.put([bad(order("a", 5), NOT_JSON), bad(order("b", "x"))])
    ids = [row.id for row in queries.quarantined()]
    assert quarantine.replay(ids=ids, intake=intake, by=actors["admin"]) == 1
    assert quarantine.replay(ids=ids, intake=intake, by=actors["admin"]) == 0
    assert log() == [("a", {"total": 5})]
    assert [(row.payload["messageId"], row.state) for row in queries.quarantined()] == [("b", "open")]
    assert audit(limit=2)[1].details == {"sent": 2, "taken": 1}


def test_a_fault_of_intake_leaves_everything_as_it_was(transactional_db: None, actors: dict[str, Actor]) -> None:
    def broken(events: Sequence[QuarantinedEvent]) -> list[Fault | None]:
        intake(events)
        raise RuntimeError

    quarantine.put([bad(order("a", 5), NOT_JSON)])
    with pytest.raises(RuntimeError):
        quarantine.replay(ids=[queries.quarantined()[0].id], intake=broken, by=actors["admin"])
    assert (log(), len(queries.quarantined())) == ([], 1)


def test_what_was_discarded_can_be_fetched_back(actors: dict[str, Actor]) -> None:
    quarantine.put([bad(order("a", 5), NOT_JSON)])
    id = queries.quarantined()[0].id
    assert quarantine.discard(ids=[id], by=actors["admin"]) == 1
    assert (queries.quarantined(), queries.quarantine_groups()) == ([], [])
    assert quarantine.replay(ids=[id], intake=intake, by=actors["admin"]) == 0
    assert quarantine.restore(ids=[id], by=actors["admin"]) == 1
    assert quarantine.replay(ids=[id], intake=intake, by=actors["admin"]) == 1
    assert quarantine.restore(ids=[id], by=actors["admin"]) == 0


def test_what_is_settled_goes_after_a_while_what_is_open_stays(actors: dict[str, Actor]) -> None:
    quarantine.put([bad(order("a", 5), NOT_JSON), bad(order("b", "x")), bad(order("c", "x"))])
    settled = [row.id for row in queries.quarantined() if row.payload["messageId"] != "c"]
    with clock.frozen(NOON):
        quarantine.replay(ids=settled[1:], intake=intake, by=actors["admin"])
        quarantine.discard(ids=settled[:1], by=actors["admin"])
    with clock.frozen(NOON + timedelta(days=30)):
        assert quarantine.forget(keep=timedelta(days=30)) == 0
    with clock.frozen(NOON + timedelta(days=31)):
        assert quarantine.forget(keep=timedelta(days=30)) == 2
    assert [row.payload["messageId"] for row in queries.quarantined()] == ["c"]


def test_only_those_who_may_repair_do(actors: dict[str, Actor]) -> None:
    for role in ("marketer", "agent", "store", "analyst"):
        with pytest.raises(Forbidden):
            quarantine.discard(ids=[1], by=actors[role])
        with pytest.raises(Forbidden):
            quarantine.replay(ids=[1], intake=intake, by=actors[role])
