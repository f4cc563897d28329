"""Processes tell how their loops fare, in a row each that others read and that goes when they are gone."""

from datetime import timedelta

import pytest

from regulars.jobs import presence
from regulars.jobs.presence import LoopView
from regulars.kernel import clock

pytestmark = pytest.mark.django_db
WELL = LoopView("numbering", 0, "", clock.now())
ILL = LoopView("intake", 3, "OSError: no room", clock.now())


def test_a_process_is_seen_with_its_host_and_loops_and_a_new_one_takes_over_its_row() -> None:
    presence.report(host="one", folder="/data", name="rest", loops=[WELL, LoopView("not begun", 0, "", None)])
    presence.report(host="one", folder="/data", name="intake", loops=[ILL])
    presence.report(host="two", folder="/data", name="intake", loops=[])
    presence.report(host="one", folder="/data", name="rest", loops=[ILL, WELL])
    found = presence.processes()
    assert [(one.name, one.host, one.silent, one.loops) for one in found] == [
        ("intake", "one", False, (ILL,)),
        ("intake", "two", False, ()),
        ("rest", "one", False, (ILL, WELL)),
    ]
    assert [loop.failing for loop in found[2].loops] == [True, False]


def test_one_that_ends_is_no_longer_there() -> None:
    presence.report(host="one", folder="/data", name="rest", loops=[WELL])
    presence.leave(host="one", folder="/data", name="rest")
    assert presence.processes() == []


def test_one_that_died_is_silent_first_and_swept_later(monkeypatch: pytest.MonkeyPatch) -> None:
    presence.report(host="one", folder="/data", name="worker", loops=[WELL])
    began = clock.now()
    monkeypatch.setattr(clock, "now", lambda: began + presence.SILENT + timedelta(seconds=1))
    presence.report(host="two", folder="/data", name="worker", loops=[WELL])
    assert [(one.host, one.silent) for one in presence.processes()] == [("one", True), ("two", False)]
    monkeypatch.setattr(clock, "now", lambda: began + presence.GONE + timedelta(seconds=1))
    presence.report(host="two", folder="/data", name="worker", loops=[WELL])
    assert [one.host for one in presence.processes()] == ["two"]
