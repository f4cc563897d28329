"""Takes jobs in turn (django-tasks' rows), in threads of `serve` or at once in a command or a test; puts in line again
what a dead process left.
"""

import logging
import threading
from datetime import timedelta

from django.db import close_old_connections, transaction
from django.db.models import Q
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from regulars.jobs import running
from regulars.jobs.models import Job
from regulars.jobs.services import run_job
from regulars.kernel import clock

log = logging.getLogger(__name__)

DEAD = timedelta(seconds=60)  # without a sign of life for so long, its process is taken for dead
KEPT = timedelta(days=7)  # django-tasks' rows of what is over; jobs themselves stay


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
    rows = Job.objects.filter(state="running").exclude(id__in=list(running.mine))
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
    while not running.stopping.is_set() and DBTaskResult.objects.ready().exists():
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


def forget() -> None:
    """Delete django-tasks' rows of turns that are long over."""
    close_old_connections()
    DBTaskResult.objects.finished().filter(finished_at__lt=clock.now() - KEPT).delete()
