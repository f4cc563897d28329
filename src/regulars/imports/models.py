"""Imports, saved mappings, and which orders have come in already. Private to this app."""

from typing import Any

from django.db import models

from regulars.kernel import clock


class Import(models.Model):
    """A file on its way in. States: uploaded → mapped → running → done, or cancelled, or failed.

    `place` is the last order (or row) that is in the log; it is written in the transaction that takes them in, so that
    an import goes on after its process died and nothing comes twice. `done` of `total` is for people.
    """

    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=255)
    size = models.BigIntegerField()
    digest = models.CharField(max_length=64, db_index=True)
    state = models.CharField(max_length=12, default="uploaded")
    layout: Any = models.JSONField(null=True)
    mapping: Any = models.JSONField(null=True)
    remarks: Any = models.JSONField(default=list)
    rows = models.BigIntegerField(null=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    place = models.BigIntegerField(default=0)
    counts: Any = models.JSONField(default=dict)
    error: Any = models.JSONField(null=True)
    cancel = models.BooleanField(default=False)
    job_id = models.CharField(max_length=32, blank=True)
    actor = models.CharField(max_length=40)
    created_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)


class Taken(models.Model):
    """An order or refund that an import has put into the log: `key` is its message id, `content` a digest of what it
    said. Kept when the log forgets old events, so that an old file can come again.
    """

    key = models.CharField(max_length=40, primary_key=True)
    content = models.CharField(max_length=16)


class SavedMapping(models.Model):
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=20)
    mapping: Any = models.JSONField()
    changed_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="imports_mapping_name")]
