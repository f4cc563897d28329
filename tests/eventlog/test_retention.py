"""Events leave the operational database when they are old and everybody has had them."""

from datetime import timedelta

import pytest

from regulars.eventlog import dispatch, queries, services
from regulars.eventlog.dispatch import Subscriber
from regulars.eventlog.models import Event
from regulars.kernel import clock
from tests.eventlog.conftest import NOON, Notebook, event

WEEK = timedelta(days=7)


def left() -> list[str]:
    return list(Event.objects.order_by("id").values_list("message_id", flat=True))


@pytest.fixture
def old_and_new(db: None) -> None:
    services.append([event("old 1"), event("old 2"), event("new", received_at=NOON + timedelta(days=5))])


def test_old_events_that_every_cursor_has_passed_are_forgotten(old_and_new: None, notebook: Notebook) -> None:
    dispatch.settle([Subscriber("one", notebook), Subscriber("two", notebook)])
    with clock.frozen(NOON + WEEK):
        assert services.forget(keep=WEEK) == 0
    with clock.frozen(NOON + timedelta(days=8)):
        assert services.forget(keep=WEEK, limit=1) == 1
        assert services.forget(keep=WEEK) == 1
        assert services.forget(keep=WEEK) == 0
    assert left() == ["new"]
    assert queries.last_position() == 3


def test_what_a_subscriber_still_needs_is_kept(old_and_new: None, notebook: Notebook) -> None:
    slow = Subscriber("slow", notebook)
    dispatch.settle([Subscriber("quick", Notebook())])
    dispatch.follow([slow])
    dispatch.advance(slow, batch=1)
    with clock.frozen(NOON + timedelta(days=30)):
        assert services.forget(keep=WEEK) == 1
    assert left() == ["old 2", "new"]


def test_what_is_parked_is_kept(old_and_new: None, notebook: Notebook) -> None:
    notebook.bad = {"old 1"}
    one, at = Subscriber("one", notebook), NOON
    for _ in range(12):
        with clock.frozen(at):
            dispatch.settle([one])
        at += timedelta(minutes=2)
    with clock.frozen(NOON + timedelta(days=30)):
        services.forget(keep=WEEK)
    assert left() == ["old 1"]


def test_without_a_subscriber_nothing_is_forgotten(old_and_new: None) -> None:
    with clock.frozen(NOON + timedelta(days=30)):
        assert services.forget(keep=WEEK) == 0
