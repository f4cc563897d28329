"""Long work that a person started, and the processes that do work. Private to this app."""

from typing import Any

from django.db import models

from regulars.kernel import clock, ids


class Job(models.Model):
    """`saved` is the place the work keeps for itself; with it a job goes on after its process died.

    Title, note and error are {"en": …, "zh": …}.
    """

    id = models.CharField(max_length=32, primary_key=True, default=ids.new_id)
    kind = models.CharField(max_length=60)
    title: Any = models.JSONField()
    arguments: Any = models.JSONField(default=dict)
    actor = models.CharField(max_length=40)
    state = models.CharField(max_length=10, default="waiting")  # waiting, running, done, failed, cancelled
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    note: Any = models.JSONField(null=True)
    saved: Any = models.JSONField(default=dict)
    result: Any = models.JSONField(null=True)
    error: Any = models.JSONField(null=True)
    cancel = models.BooleanField(default=False)
    runs = models.IntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True)
    alive_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["actor", "id"], name="jobs_of_actor"),
            models.Index(fields=["state", "id"], name="jobs_by_state"),
        ]


class Process(models.Model):
    """A process with loops, as it last told of itself. `loops`: [{name, failures, error, last}]."""

    host = models.CharField(max_length=200)
    folder = models.CharField(max_length=500)
    name = models.CharField(max_length=20)  # intake, rest, worker
    seen_at = models.DateTimeField()
    loops: Any = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host", "folder", "name"], name="jobs_one_process")]
