"""Reading jobs: one's own, and everybody's for those who may."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from regulars.accounts.actors import Actor
from regulars.jobs.models import Job
from regulars.kernel.errors import NotFound
from regulars.kernel.languages import Text

STATES: dict[str, Text] = {
    "waiting": Text("Waiting", "等待中"),
    "running": Text("Running", "进行中"),
    "done": Text("Done", "已完成"),
    "failed": Text("Failed", "失败"),
    "cancelled": Text("Cancelled", "已取消"),
}


@dataclass(frozen=True, slots=True)
class JobView:
    """`share` is how much is done, 0 to 1, None as long as the whole isn't known."""

    id: str
    kind: str
    title: Text
    actor: str
    state: str
    done: int
    total: int | None
    share: float | None
    note: Text | None
    error: Text | None
    arguments: dict[str, Any]
    result: Any
    cancelling: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


def _text(value: Any) -> Text | None:
    return Text(value["en"], value["zh"]) if value else None


def _view(job: Job) -> JobView:
    share = 1.0 if job.state == "done" else min(job.done / job.total, 1.0) if job.total else None
    return JobView(
        job.pk, job.kind, Text(job.title["en"], job.title["zh"]), job.actor, job.state, job.done, job.total, share,
        _text(job.note), _text(job.error), job.arguments, job.result, job.cancel and job.state == "running",
        job.created_at, job.started_at, job.finished_at,
    )  # fmt: skip


def job(id: str, *, by: Actor) -> JobView:
    """One's own, or anybody's with jobs.view; raises NotFound otherwise."""
    found = Job.objects.filter(id=id).first()
    if found is None or (found.actor != by.ref and not by.may("jobs.view")):
        raise NotFound("job", Text("There is no such job.", "没有这个任务。"))
    return _view(found)


def jobs(*, by: Actor, everybody: bool = False, before: str = "", limit: int = 50) -> list[JobView]:
    """The newest first: one's own, or everybody's (needs jobs.view); the page before the id `before`."""
    rows = Job.objects.order_by("-id")
    if everybody:
        by.require("jobs.view")
    else:
        rows = rows.filter(actor=by.ref)
    rows = rows.filter(id__lt=before) if before else rows
    return [_view(row) for row in rows[:limit]]


def notes(ids: Iterable[str]) -> dict[str, Text]:
    """What these jobs are doing, by their ids, whosesoever they are; without those that haven't said."""
    rows = Job.objects.filter(id__in=list(ids), note__isnull=False).values_list("id", "note")
    return {id: Text(note["en"], note["zh"]) for id, note in rows if note}


def running(*, by: Actor) -> list[JobView]:
    """One's own jobs that wait or run, for the corner of every page."""
    return [_view(row) for row in Job.objects.filter(actor=by.ref, state__in=("waiting", "running")).order_by("id")]
