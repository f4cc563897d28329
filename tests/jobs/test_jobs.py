"""Long work: progress, cancel, failure, and going on after the process died."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.db import connections, transaction
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from regulars.accounts.actors import SYSTEM, Actor
from regulars.jobs import queries, running, services, worker
from regulars.jobs.models import Job
from regulars.jobs.progress import Progress
from regulars.kernel.errors import Forbidden, Invalid, NotFound
from regulars.kernel.languages import Text

TITLE = Text("Count to {n}", "数到 {n}").filled(n=3)


@pytest.fixture
def kinds() -> Iterator[Callable[[Mapping[str, Any]], None]]:
    running.begin()
    yield running.kinds
    running.kinds({})
    running.begin()


def begin(by: Actor = SYSTEM, **arguments: Any) -> str:
    return services.start("count", by=by, arguments=arguments, title=TITLE).pk


def state(id: str) -> queries.JobView:
    return queries.job(id, by=SYSTEM)


def test_a_job_runs_with_its_arguments_and_keeps_its_result(transactional_db: None, kinds: Any) -> None:
    def count(progress: Progress, n: int) -> dict[str, int]:
        for done in range(n + 1):
            progress.report(done, n, Text("So far {done}", "已完成 {done}").filled(done=done))
        return {"sum": n * (n + 1) // 2}

    kinds({"count": count})
    id = begin(n=3)
    waiting = state(id)
    assert (waiting.state, waiting.title.zh, waiting.share) == ("waiting", "数到 3", None)
    assert worker.run_ready() == 1
    done = state(id)
    assert (done.state, done.done, done.total, done.share, done.result) == ("done", 3, 3, 1.0, {"sum": 6})
    assert done.note == Text("So far 3", "已完成 3")
    assert done.started_at and done.finished_at and done.created_at <= done.started_at <= done.finished_at
    assert worker.run_ready() == 0


def test_a_job_begins_only_when_the_transaction_that_started_it_is_committed(
    transactional_db: None, kinds: Any
) -> None:
    kinds({"count": lambda progress: None})
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        begin()
        raise ZeroDivisionError
    assert worker.run_ready() == 0
    assert not Job.objects.exists()


def test_a_problem_is_told_in_both_languages(transactional_db: None, kinds: Any) -> None:
    def count(progress: Progress) -> None:
        raise Invalid("file", Text("The file is empty.", "文件是空的。"))

    kinds({"count": count})
    id = begin()
    worker.run_ready()
    assert (state(id).state, state(id).error) == ("failed", Text("The file is empty.", "文件是空的。"))


def test_a_fault_of_the_program_is_told_without_its_trace(transactional_db: None, kinds: Any) -> None:
    kinds({"count": lambda progress: 1 // 0})
    id = begin()
    worker.run_ready()
    assert state(id).state == "failed"
    assert "ZeroDivision" not in str(state(id).error)


def test_a_kind_that_nobody_knows_fails_clearly(transactional_db: None, kinds: Any) -> None:
    kinds({})
    id = begin()
    worker.run_ready()
    assert str(state(id).error and state(id).error.en) == "This version doesn't know jobs of the kind count."  # type: ignore[union-attr]


def test_a_waiting_job_is_cancelled_at_once(transactional_db: None, kinds: Any) -> None:
    ran: list[bool] = []
    kinds({"count": lambda progress: ran.append(True)})
    id = begin()
    services.cancel(id=id, by=SYSTEM)
    worker.run_ready()
    assert (state(id).state, ran) == ("cancelled", [])


def test_a_running_job_is_cancelled_at_its_next_step(
    transactional_db: None, kinds: Any, wait_for: Callable[..., None]
) -> None:
    running = threading.Event()

    def count(progress: Progress) -> None:
        while True:
            running.set()
            progress.check_cancelled()
            threading.Event().wait(0.01)

    kinds({"count": count})
    id = begin()

    def work() -> None:
        worker.run_ready()
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    assert running.wait(20)
    services.cancel(id=id, by=SYSTEM)
    thread.join(20)
    assert not thread.is_alive()
    assert state(id).state == "cancelled"
    services.cancel(id=id, by=SYSTEM)
    assert state(id).state == "cancelled"


def test_a_job_whose_process_died_goes_on_from_its_saved_state(transactional_db: None, kinds: Any) -> None:
    """A BaseException that the worker doesn't take for a fault of the job stands for the death of the process."""

    class Killed(BaseException):
        pass

    seen: list[int] = []

    def count(progress: Progress, n: int) -> None:
        for step in range(progress.state.get("next", 0), n):
            if step == 2 and not alive:
                raise Killed
            seen.append(step)
            progress.save_state({"next": step + 1})

    kinds({"count": count})
    alive = False
    id = begin(n=4)
    worker.run_ready()
    assert (state(id).state, seen) == ("running", [0, 1])
    assert worker.revive(alone=False) == 0, "it gave a sign of life a moment ago"
    alive = True
    assert worker.revive(alone=True) == 1
    assert worker.revive(alone=True) == 0
    worker.run_ready()
    assert (state(id).state, seen) == ("done", [0, 1, 2, 3])
    assert Job.objects.get().runs == 2


def test_a_job_whose_turn_was_taken_by_a_process_that_died_before_it_began_gets_another(
    transactional_db: None, kinds: Any
) -> None:
    seen: list[int] = []
    kinds({"count": lambda progress: seen.append(1)})
    begin()
    assert worker.revive(alone=False) == 0, "it is in line"
    DBTaskResult.objects.update(status=TaskResultStatus.RUNNING)  # taken, and then its process died
    assert worker.run_ready() == 0
    assert worker.revive(alone=False) == 1
    assert worker.revive(alone=False) == 0
    worker.run_ready()
    assert (Job.objects.get().state, seen) == ("done", [1])


def test_the_saved_state_is_committed_with_the_work_or_not_at_all(transactional_db: None, kinds: Any) -> None:
    def count(progress: Progress) -> None:
        progress.save_state({"next": 1})
        with transaction.atomic():
            progress.save_state({"next": 2})
            raise Invalid("x", Text("No.", "不行。"))

    kinds({"count": count})
    begin()
    worker.run_ready()
    assert Job.objects.get().saved == {"next": 1}


def test_stopping_the_process_puts_running_work_back_in_line(transactional_db: None, kinds: Any) -> None:
    turns: list[dict[str, Any]] = []

    def count(progress: Progress) -> None:
        turns.append(progress.state)
        progress.save_state({"next": 1})
        if len(turns) == 1:
            running.stop()
        progress.check_cancelled()

    kinds({"count": count})
    id = begin()
    worker.run_ready()
    assert state(id).state == "waiting"
    assert worker.run_ready() == 0, "a process that stops takes no more"
    running.begin()
    worker.run_ready()
    assert (state(id).state, turns) == ("done", [{}, {"next": 1}])


def test_each_sees_and_cancels_their_own_jobs_and_some_see_all(
    transactional_db: None, kinds: Any, actors: dict[str, Actor]
) -> None:
    marketer, analyst, manager = actors["marketer"], actors["analyst"], actors["manager"]
    first, second = begin(marketer), begin(analyst)
    assert [job.id for job in queries.jobs(by=marketer)] == [first]
    assert [job.id for job in queries.jobs(by=manager, everybody=True)] == [second, first]
    assert [job.id for job in queries.jobs(by=manager, everybody=True, before=second)] == [first]
    assert [job.id for job in queries.running(by=analyst)] == [second]
    with pytest.raises(Forbidden):
        queries.jobs(by=marketer, everybody=True)
    with pytest.raises(NotFound):
        queries.job(second, by=marketer)
    with pytest.raises(NotFound):
        services.cancel(id=second, by=marketer)
    services.cancel(id=second, by=manager)
    assert queries.job(second, by=analyst).state == "cancelled"
    assert queries.running(by=analyst) == []


def test_several_workers_run_each_job_once(transactional_db: None, kinds: Any) -> None:
    ran: list[int] = []
    kinds({"count": lambda progress, n: ran.append(n)})
    for n in range(12):
        begin(n=n)

    def work() -> None:
        worker.run_ready()
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    worker.run_ready()  # one that found the database locked leaves the rest to its next round
    assert sorted(ran) == list(range(12))
