"""Starting and cancelling long work."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django_tasks import task

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.jobs import running
from regulars.jobs.models import Job
from regulars.jobs.progress import in_both
from regulars.kernel import clock
from regulars.kernel.errors import NotFound
from regulars.kernel.languages import Text


@task()
def run_job(job_id: str) -> None:
    """What django-tasks keeps: a job's turn."""
    if running.run(job_id) == "again":
        run_job.enqueue(job_id)  # a crash before this line: worker.revive finds a job that waits without a turn


@transaction.atomic
def start(kind: str, *, by: Actor, arguments: dict[str, Any], title: Text) -> Job:
    """Put a job in line; it runs once the transaction is committed. The capability is checked by who starts it."""
    job = Job.objects.create(kind=kind, title=in_both(title), arguments=arguments, actor=by.ref)
    run_job.enqueue(job.pk)
    return job


@transaction.atomic
def cancel(*, id: str, by: Actor) -> None:
    """Stop a job that waits or runs: at once, or at its next step. One's own, or anybody's with jobs.view."""
    job = Job.objects.select_for_update().filter(id=id).first()
    if job is None or (job.actor != by.ref and not by.may("jobs.view")):
        raise NotFound("job", Text("There is no such job.", "没有这个任务。"))
    if job.state == "waiting":
        Job.objects.filter(id=id).update(state="cancelled", cancel=True, finished_at=clock.now())
    elif job.state == "running":
        Job.objects.filter(id=id).update(cancel=True)
    else:
        return
    audit(by=by, action="Job Cancelled", object_kind="job", object_id=id, details={"kind": job.kind})


def forget_person(named_in: Callable[[str], bool]) -> int:
    """Take an erased person's name out of what jobs say of themselves, such as the file they read: how many did."""
    said = Job.objects.only("id", "title", "note", "error").iterator()
    named = [job for job in said if any(named_in(text["zh"]) for text in (job.title, job.note, job.error) if text)]
    for job in named:
        job.title = in_both(Text("Name erased with a person", "名称已随个人信息删除"))
        job.note = job.error = None
    return Job.objects.bulk_update(named, ["title", "note", "error"], batch_size=500)
