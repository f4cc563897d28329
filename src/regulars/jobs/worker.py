"""Runs jobs: takes django-tasks' rows in turn, in threads of `serve` or at once in a command or a test.

Which function a kind means is said once by wiring (`kinds`), which lies above.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import close_old_connections, connection, transaction
from django.db.models import Q
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from regulars.jobs.models import Job
from regulars.jobs.services import Cancelled, Interrupted, Progress, in_both, run_job
from regulars.kernel import clock
from regulars.kernel.errors import Problem, no_room
from regulars.kernel.languages import Text

log = logging.getLogger(__name__)

Function = Callable[..., Any]
BEAT = 10  # seconds between two signs of life of a running job
DEAD = timedelta(seconds=60)  # without a sign of life for so long, its process is taken for dead
KEPT = timedelta(days=7)  # django-tasks' rows of what is over; jobs themselves stay

_BROKEN = Text(
    "Something went wrong inside; the log of the server says what. What was done so far is kept.",
    "内部出错，详见服务器日志。已完成的部分会保留。",
)

_kinds: dict[str, Function] = {}
_mine: set[str] = set()  # what this process runs at the moment
_stopping = threading.Event()


def kinds(functions: Mapping[str, Function]) -> None:
    """Say which function each kind runs: function(progress, **arguments) → a result that JSON can hold, or None."""
    _kinds.clear()
    _kinds.update(functions)


def run(job_id: str) -> None:
    """Run a job that waits, to its end or until it is cancelled or the process stops. Never raises for its faults."""
    now = clock.now()
    rows = Job.objects.filter(id=job_id)
    if not rows.filter(state="waiting").update(state="running", started_at=now, alive_at=now):
        return  # cancelled before its turn, or another worker has it
    job = rows.get()
    Job.objects.filter(id=job_id).update(runs=job.runs + 1)
    try:
        function = _kinds.get(job.kind)
        if function is None:
            raise Problem(
                "kind",
                Text("This version doesn't know jobs of the kind {kind}.", "当前版本不支持 {kind} 类任务。").filled(
                    kind=job.kind
                ),
            )
        _mine.add(job_id)
        with _signs_of_life(job_id):
            result = function(Progress(job_id, job.saved, _stopping), **job.arguments)
    except Cancelled:
        rows.update(state="cancelled", finished_at=clock.now())
    except Interrupted:
        _again(job_id)
    except Problem as problem:
        rows.update(state="failed", error=in_both(problem.text), finished_at=clock.now())
    except Exception as error:
        log.exception("the job %s (%s) failed", job_id, job.kind)
        full = no_room(error)
        rows.update(state="failed", error=in_both(full.text if full else _BROKEN), finished_at=clock.now())
    else:
        rows.update(state="done", result=result, finished_at=clock.now())
    finally:
        _mine.discard(job_id)


@contextmanager
def _signs_of_life(job_id: str) -> Any:
    """While the work is busy elsewhere (one long statement), a thread says that its process lives."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT):
            try:
                Job.objects.filter(id=job_id).update(alive_at=clock.now())
            except Exception:
                log.warning("couldn't say that the job %s lives", job_id, exc_info=True)
        connection.close()

    thread = threading.Thread(target=beat, name=f"job {job_id[-6:]} lives", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@transaction.atomic
def _again(job_id: str) -> None:
    if Job.objects.filter(id=job_id, state="running").update(state="waiting"):
        run_job.enqueue(job_id)


def revive(*, alone: bool) -> int:
    """Put in line again what ran in a process that died, or was just being taken by it; how many.

    `alone`: no other process works on this database, so that whatever is running is dead. Otherwise those without a
    sign of life for DEAD, or with one in the future (the clock went back). What this process runs itself lives,
    whatever the clock says.
    """
    now = clock.now()
    rows = Job.objects.filter(state="running").exclude(id__in=list(_mine))
    rows = rows if alone else rows.filter(Q(alive_at__lt=now - DEAD) | Q(alive_at__gt=now + DEAD))
    found = list(rows.values_list("id", flat=True))
    for job_id in found:
        log.warning("the job %s was cut short; it goes on from its saved state", job_id)
        _again(job_id)
    return len(found) + _line_up()


def _line_up() -> int:
    """Put in line what waits without a turn: its process died, or is, between taking the turn and beginning the job.
    A turn too many does no harm: only one of them finds the job waiting.
    """
    waiting = set(Job.objects.filter(state="waiting").values_list("id", flat=True))
    if waiting:
        waiting -= {given["args"][0] for given in DBTaskResult.objects.ready().values_list("args_kwargs", flat=True)}
    for job_id in sorted(waiting):
        run_job.enqueue(job_id)
    return len(waiting)


def run_ready() -> int:
    """Run whatever waits, one after the other, in this thread; how many. Looks without locking first."""
    count = 0
    while not _stopping.is_set() and DBTaskResult.objects.ready().exists():
        worker = Worker(
            queue_names=["*"], interval=0, batch=False, backend_name="default", startup_delay=False, max_tasks=1,
            worker_id=threading.current_thread().name[:64], excluded_queue_names=[],
        )  # fmt: skip
        worker.batch = True
        worker.run()
        count += worker._run_tasks
        if not worker._run_tasks:
            break
    return count


def stop() -> None:
    """Ask running jobs to leave at their next step and take no more."""
    _stopping.set()


def begin() -> None:
    """Undo of `stop`, for a process that starts its loops."""
    _stopping.clear()


def forget() -> None:
    """Delete django-tasks' rows of turns that are long over."""
    close_old_connections()
    DBTaskResult.objects.finished().filter(finished_at__lt=clock.now() - KEPT).delete()
