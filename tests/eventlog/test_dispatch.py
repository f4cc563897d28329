"""Handing events on: order, isolation of failures, parking, replay."""

from datetime import timedelta

import pytest
from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.eventlog import dispatch, queries, services
from regulars.eventlog.dispatch import Subscriber
from regulars.eventlog.models import Cursor
from regulars.kernel import clock
from regulars.kernel.errors import Forbidden, NotFound
from tests.eventlog.conftest import NOON, Notebook, event


def put(*message_ids: str, name: str = "Product Viewed") -> None:
    services.append([event(message_id, name) for message_id in message_ids])
    while dispatch.number():
        pass


def test_a_subscriber_gets_every_event_once_in_order(db: None, notebook: Notebook) -> None:
    one = Subscriber("one", notebook)
    put("a", "b")
    dispatch.settle([one])
    put("c")
    dispatch.settle([one])
    dispatch.settle([one])
    assert notebook.batches == [["a", "b"], ["c"]]


def test_a_subscriber_with_names_gets_only_those_and_is_not_held_up_by_others(db: None, notebook: Notebook) -> None:
    put("a")
    put("b", name="Order Completed")
    put("c")
    dispatch.settle([Subscriber("orders", notebook, frozenset({"Order Completed"}))])
    assert notebook.got == ["b"]
    assert queries.followers()[0].behind == 0


def test_batches_are_bounded(db: None, notebook: Notebook) -> None:
    put("a", "b", "c", "d", "e")
    one = Subscriber("one", notebook)
    dispatch.follow([one])
    while dispatch.advance(one, batch=2):
        pass
    assert notebook.batches == [["a", "b"], ["c", "d"], ["e"]]


def test_a_new_subscriber_may_begin_at_the_end_of_the_log(db: None, notebook: Notebook) -> None:
    one = Subscriber("one", notebook)
    put("a")
    dispatch.follow([one], from_now={"one"})
    put("b")
    dispatch.follow([one], from_now={"one"})
    dispatch.settle([one])
    assert notebook.got == ["b"]


def test_a_failing_handler_stops_its_own_cursor_only(db: None) -> None:
    well, ill = Notebook(), Notebook()
    ill.bad = {"a"}
    put("a", "b")
    dispatch.settle([Subscriber("ill", ill), Subscriber("well", well)])
    assert (well.got, ill.got) == (["a", "b"], [])
    state = {one.name: one for one in queries.followers()}
    assert (state["well"].behind, state["ill"].behind, state["ill"].failures) == (0, 2, 1)
    assert state["ill"].error == "ValueError: can't stomach a"


def test_what_a_failing_handler_wrote_is_undone(transactional_db: None, notebook: Notebook) -> None:
    notebook.bad = {"b"}
    notebook.also = lambda batch: (
        services.append([event(f"echo of {row.message_id}", "Echo") for row in batch]) and None
    )
    put("a", "b")
    one = Subscriber("one", notebook, frozenset({"Product Viewed"}))
    with clock.frozen(NOON):
        dispatch.settle([one])
    assert [row.message_id for row in queries.recent(name="Echo")] == []
    with clock.frozen(NOON + timedelta(seconds=2)):
        dispatch.advance(one)  # the first alone
    assert [row.message_id for row in queries.recent(name="Echo")] == ["echo of a"]


def test_a_handler_that_fails_again_and_again_is_tried_with_pauses_then_the_event_is_parked(
    db: None, notebook: Notebook
) -> None:
    notebook.bad = {"b"}
    one = Subscriber("one", notebook)
    put("a", "b", "c")
    at, tries = NOON, list[float]()
    for _ in range(200):
        before = Cursor.objects.filter(name="one").values_list("failures", "position").first()
        with clock.frozen(at):
            dispatch.settle([one])
        after = Cursor.objects.filter(name="one").values_list("failures", "position").first()
        if before != after:
            tries.append((at - NOON).total_seconds())
        at += timedelta(seconds=1)
    # The batch fails at 0; a alone passes at 1 and b fails the same second; then b after 1, 2, 4, 8, 16 seconds.
    assert tries == [0, 1, 2, 4, 8, 16, 32]
    assert notebook.batches == [["a"], ["c"]]
    parked = queries.parked()
    assert [(row.subscriber, row.position, row.name, row.error, row.failures) for row in parked] == [
        ("one", 2, "Product Viewed", "ValueError: can't stomach b", dispatch.ATTEMPTS)
    ]
    assert [(row.behind, row.parked, row.error) for row in queries.followers()] == [(0, 1, "")]


def park(one: Subscriber) -> int:
    at = NOON
    while not queries.parked():
        with clock.frozen(at):
            dispatch.settle([one])
        at += timedelta(minutes=2)
    with clock.frozen(at):
        dispatch.settle([one])
    return queries.parked()[0].id


def test_a_parked_event_is_tried_again_when_somebody_asks(
    db: None, notebook: Notebook, actors: dict[str, Actor]
) -> None:
    notebook.bad = {"b"}
    one = Subscriber("one", notebook)
    put("a", "b", "c")
    id = park(one)
    assert dispatch.retry_parked(ids=[id], by=actors["admin"]) == 1
    dispatch.settle([one])
    assert [(row.state, row.failures) for row in queries.parked()] == [("parked", dispatch.ATTEMPTS + 1)]
    notebook.bad = set()
    dispatch.retry_parked(ids=[id], by=actors["admin"])
    dispatch.settle([one])
    dispatch.settle([one])
    assert notebook.got == ["a", "c", "b"]
    assert queries.parked() == []


def test_a_parked_event_can_be_given_up(db: None, notebook: Notebook, actors: dict[str, Actor]) -> None:
    notebook.bad = {"a"}
    one = Subscriber("one", notebook)
    put("a")
    id = park(one)
    with pytest.raises(Forbidden):
        dispatch.discard_parked(ids=[id], by=actors["marketer"])
    assert dispatch.discard_parked(ids=[id], by=actors["admin"]) == 1
    assert queries.parked() == []
    assert dispatch.retry_parked(ids=[id], by=actors["admin"]) == 0


def test_a_subscriber_is_replayed_from_any_point(db: None, notebook: Notebook, actors: dict[str, Actor]) -> None:
    one = Subscriber("one", notebook)
    put("a", "b", "c")
    dispatch.settle([one])
    dispatch.replay(subscriber="one", position=1, by=actors["admin"])
    dispatch.settle([one])
    assert notebook.got == ["a", "b", "c", "b", "c"]
    with pytest.raises(NotFound):
        dispatch.replay(subscriber="two", position=1, by=actors["admin"])
    with pytest.raises(Forbidden):
        dispatch.replay(subscriber="one", position=1, by=actors["analyst"])


def test_one_with_a_place_of_its_own_is_never_passed_over(db: None, notebook: Notebook) -> None:
    """The warehouse: an event it can't take stops it, however often it fails, until it is put right."""
    notebook.bad = {"a"}
    one = Subscriber("one", notebook, own_place=True)
    put("a", "b")
    at = NOON
    for _ in range(3 * dispatch.ATTEMPTS):
        with clock.frozen(at):
            dispatch.settle([one])
        at += timedelta(minutes=2)
    assert (queries.parked(), notebook.got) == ([], [])
    notebook.bad = set()
    with clock.frozen(at):
        dispatch.settle([one])
    assert notebook.got == ["a", "b"]


def test_only_one_of_two_processes_moves_a_cursor(transactional_db: None, notebook: Notebook) -> None:
    """The second reads the cursor, then the first moves it: the second's round does nothing."""
    one = Subscriber("one", notebook)
    put("a", "b")
    dispatch.follow([one])
    rival = Notebook()
    stale = Cursor.objects.get(name="one")
    dispatch.settle([one])
    with transaction.atomic():
        assert not dispatch._held("one", stale.position)
    dispatch.settle([Subscriber("one", rival)])
    assert (notebook.got, rival.got) == (["a", "b"], [])
