"""A clock that jumps, as after a flat battery or a bad time server: nothing waits for the old time to come again, and
nothing that lives is taken for dead.
"""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from regulars.accounts import attempts
from regulars.accounts.actors import SYSTEM
from regulars.eventlog import dispatch
from regulars.eventlog.rows import NewEvent
from regulars.eventlog.services import append
from regulars.jobs import queries, running, services, worker
from regulars.jobs.progress import Progress
from regulars.kernel import clock, ids
from regulars.kernel.languages import Text
from regulars.webhooks import handlers, sending
from regulars.webhooks import services as webhooks
from tests.webhooks.test_webhooks import Receiver, receiver  # noqa: F401 (a fixture)

YEAR = timedelta(days=365)


def test_webhooks_and_subscribers_put_off_by_a_clock_that_ran_ahead_go_on_when_it_is_right_again(
    db: None,
    receiver: Receiver,  # noqa: F811
) -> None:
    webhooks.add_endpoint(url=receiver.url, events=[], by=SYSTEM)
    failing = True

    def handle(batch: Any) -> None:
        if failing:
            raise ValueError("not now")
        handlers.handle(batch)

    follower = dispatch.Subscriber("webhooks", handle)
    now = clock.now()
    append([NewEvent("m1", "Product Viewed", None, now, now, {}, {}, "demo")])
    dispatch.number()
    with clock.frozen(now + YEAR):
        while dispatch.advance(follower):
            pass
        failing = False
        assert not dispatch.advance(follower), "it waits before it tries again"
    while dispatch.advance(follower):
        pass
    assert sending.send_due() == 1 and len(receiver.got) == 1

    receiver.status = 500
    append([NewEvent("m2", "Product Viewed", None, now, now, {}, {}, "demo")])
    dispatch.number()
    while dispatch.advance(follower):
        pass
    with clock.frozen(now + YEAR):
        assert sending.send_due() == 1
        assert sending.send_due() == 0, "a pause is kept"
    receiver.status = 200
    assert sending.send_due() == 1
    assert sending.send_due() == 0
    assert len(receiver.got) == 3


@pytest.mark.parametrize("jump", [-YEAR, YEAR])
def test_a_running_job_reports_can_be_cancelled_and_isnt_started_a_second_time(
    transactional_db: None, jump: timedelta
) -> None:
    began, jumped, runs = threading.Event(), threading.Event(), list[str]()

    def work(progress: Progress) -> None:
        runs.append(progress.job_id)
        progress.report(1, 10)
        progress.check_cancelled()
        began.set()
        assert jumped.wait(20)
        with clock.frozen(clock.now() + jump):
            progress.report(5, 10)
            progress.check_cancelled()

    running.begin()
    running.kinds({"count": work})
    id = services.start("count", by=SYSTEM, arguments={}, title=Text("Count", "数")).pk
    thread = threading.Thread(target=_in_thread(worker.run_ready))
    thread.start()
    assert began.wait(20)
    with clock.frozen(clock.now() + jump):
        assert worker.revive(alone=False) == 0, "it lives"
    services.cancel(id=id, by=SYSTEM)
    jumped.set()
    thread.join(20)
    job = queries.job(id, by=SYSTEM)
    assert (job.state, job.done, runs) == ("cancelled", 5, [id])
    running.kinds({})


def test_a_job_of_a_dead_process_is_revived_though_the_clock_went_back(transactional_db: None) -> None:
    from regulars.jobs.models import Job

    id = services.start("count", by=SYSTEM, arguments={}, title=Text("Count", "数")).pk
    Job.objects.filter(id=id).update(state="running", alive_at=clock.now() + YEAR)
    assert worker.revive(alone=False) == 1


def test_nobody_is_locked_out_until_the_time_of_a_clock_that_ran_ahead(db: None) -> None:
    who = {"email": "a@example.com", "address": "1.2.3.4"}
    with clock.frozen(clock.now() + YEAR):
        for _ in range(attempts.LIMIT_OF_PAIR):
            attempts.begin(**who)
        with pytest.raises(attempts.TooMany):
            attempts.begin(**who)
    attempts.begin(**who)


def test_ids_go_on_growing() -> None:
    before = ids.new_id()
    with clock.frozen(clock.now() - YEAR):
        later = [ids.new_id() for _ in range(5)]
    assert sorted([before, *later]) == [before, *later]


def _in_thread(function: Callable[[], Any]) -> Callable[[], None]:
    from django.db import connections

    def run() -> None:
        try:
            function()
        finally:
            connections.close_all()

    return run
