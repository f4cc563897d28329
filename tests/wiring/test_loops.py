"""The loops of the server: one that fails goes on by itself, and nobody else notices."""

import threading
from collections.abc import Callable, Iterator

import pytest

from regulars.console import background
from regulars.eventlog import wake
from regulars.eventlog.wake import Bell
from regulars.jobs import presence, running
from regulars.wiring import loops, schedules
from regulars.wiring.loops import Loop
from regulars.wiring.subscriptions import SUBSCRIBERS

Wait = Callable[..., None]


@pytest.fixture(autouse=True)
def stopped(transactional_db: None) -> Iterator[None]:
    yield
    loops.stop()
    running.begin()


def state(name: str) -> loops.State:
    return next(one for one in loops.states() if one.name == name)


@pytest.mark.parametrize("fault", [ValueError("broken"), SystemExit(3)])
def test_a_loop_that_raises_is_tried_again_and_the_others_go_on(
    fault: BaseException, monkeypatch: pytest.MonkeyPatch, wait_for: Wait
) -> None:
    monkeypatch.setattr(loops, "_pause", lambda failures: 0.01)
    broken = True

    def ill() -> bool:
        if broken:
            raise fault
        return False

    loops.start([Loop("ill", ill, every=0.01), Loop("well", lambda: False, every=0.01)])
    wait_for(lambda: state("ill").failures >= 3 and state("well").steps >= 3)
    assert type(fault).__name__ in state("ill").error
    broken = False
    wait_for(lambda: state("ill").steps >= 3)
    assert (state("ill").failures, state("ill").error) == (0, "")


def test_pauses_between_failures_grow_to_a_minute() -> None:
    assert [loops._pause(n) for n in (1, 2, 3, 4, 5, 6, 7, 100)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_loop_with_more_to_do_goes_on_at_once(wait_for: Wait) -> None:
    left = 50

    def step() -> bool:
        nonlocal left
        left -= 1
        return left > 0

    loops.start([Loop("busy", step, every=1000)])
    wait_for(lambda: left == 0, 10)


def test_a_listening_loop_wakes_up_for_events_others_do_not(wait_for: Wait) -> None:
    loops.start([Loop("listens", lambda: False, every=1000, listens=True), Loop("deaf", lambda: False, every=1000)])
    wait_for(lambda: state("listens").steps == 1 and state("deaf").steps == 1)
    wake.up()
    wait_for(lambda: state("listens").steps == 2, 10)
    assert state("deaf").steps == 1


def test_stopping_lets_a_step_finish_and_says_who_did_not(monkeypatch: pytest.MonkeyPatch, wait_for: Wait) -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), list[bool]()

    def slow() -> bool:
        begun.set()
        may_end.wait(20)
        ended.append(True)
        return True

    loops.start([Loop("slow", slow)])
    assert begun.wait(10)
    monkeypatch.setattr(loops, "PATIENCE", 0.05)
    assert loops.stop() == ["slow"]
    may_end.set()
    monkeypatch.setattr(loops, "PATIENCE", 10.0)
    assert loops.stop() == []
    assert ended == [True]


def test_every_loop_and_schedule_has_a_name_of_its_own() -> None:
    names = [loop.name for loop in loops.of_work()]
    assert len(names) == len(set(names))
    assert {f"dispatch {one.name}" for one in SUBSCRIBERS} <= set(names)
    assert {f"schedule {one.name}" for one in schedules.SCHEDULES} <= set(names)


def test_every_loop_and_subscriber_is_called_something_in_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regulars.warehouse.lake.used", lambda: True)
    names = {loop.name for loop in [*loops.of_intake(Bell()), *loops.of_work()]} | {"signs of life"}
    assert set(background.WORK) == names
    assert set(background.SUBSCRIBERS) == {one.name for one in SUBSCRIBERS}


def test_a_process_with_a_name_tells_others_how_its_loops_fare_until_it_stops(
    monkeypatch: pytest.MonkeyPatch, wait_for: Wait
) -> None:
    def ill() -> bool:
        raise OSError("no room")

    monkeypatch.setattr(loops, "_pause", lambda failures: 0.1)
    loops.start([Loop("ill", ill)], name="intake")
    wait_for(lambda: any(loop.failing for one in presence.processes() for loop in one.loops), 20)
    (told,) = presence.processes()
    assert (told.name, told.silent, {loop.name for loop in told.loops} >= {"ill"}) == ("intake", False, True)
    assert loops.failing() == ["ill"]
    loops.stop()
    assert presence.processes() == []
