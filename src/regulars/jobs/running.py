"""Runs one job: the function of its kind, with signs of life, to whatever end.

Which function a kind means is said once by wiring (`kinds`), which lies above.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from django.db import connection

from regulars.jobs.models import Job
from regulars.jobs.progress import Cancelled, Interrupted, Progress, in_both
from regulars.kernel import clock
from regulars.kernel.errors import Problem, no_room
from regulars.kernel.languages import Text

log = logging.getLogger(__name__)

Function = Callable[..., Any]
BEAT = 10  # seconds between two signs of life of a running job

_BROKEN = Text(
    "Something went wrong inside; the log of the server says what. What was done so far is kept.",
    "内部出错，详见服务器日志。已完成的部分会保留。",
)

_kinds: dict[str, Function] = {}
mine: set[str] = set()  # what this process runs at the moment
stopping = threading.Event()


def kinds(functions: Mapping[str, Function]) -> None:
    """Say which function each kind runs: function(progress, **arguments) → a result that JSON can hold, or None."""
    _kinds.clear()
    _kinds.update(functions)


def run(job_id: str) -> Literal["over", "again"]:
    """Run a job that waits, to its end or until it is cancelled or the process stops: then it waits for another turn
    ("again"). Never raises for its faults.
    """
    now = clock.now()
    rows = Job.objects.filter(id=job_id)
    if not rows.filter(state="waiting").update(state="running", started_at=now, alive_at=now):
        return "over"  # cancelled before its turn, or another worker has it
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
        mine.add(job_id)
        with _signs_of_life(job_id):
            result = function(Progress(job_id, job.saved, stopping), **job.arguments)
    except Cancelled:
        rows.update(state="cancelled", finished_at=clock.now())
    except Interrupted:
        if rows.filter(state="running").update(state="waiting"):
            return "again"
    except Problem as problem:
        rows.update(state="failed", error=in_both(problem.text), finished_at=clock.now())
    except Exception as error:
        log.exception("the job %s (%s) failed", job_id, job.kind)
        full = no_room(error)
        rows.update(state="failed", error=in_both(full.text if full else _BROKEN), finished_at=clock.now())
    else:
        rows.update(state="done", result=result, finished_at=clock.now())
    finally:
        mine.discard(job_id)
    return "over"


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


def stop() -> None:
    """Ask running jobs to leave at their next step and take no more."""
    stopping.set()


def begin() -> None:
    """Undo of `stop`, for a process that starts its loops."""
    stopping.clear()
