"""The log, its numbering, the subscribers' cursors, and what couldn't be taken in or handed on. Private to this app."""

from typing import Any

from django.db import models

from regulars.kernel import clock


class Event(models.Model):
    """One thing that happened. Never changed but for `position`, which it gets once it is committed.

    `record_id` is the customer's record the event was made for (not a foreign key: customers lie above the log).
    """

    position = models.BigIntegerField(null=True, unique=True)
    message_id = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    record_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    received_at = models.DateTimeField()
    properties: Any = models.JSONField(default=dict)
    context: Any = models.JSONField(default=dict)
    source = models.CharField(max_length=60)
    actor = models.CharField(max_length=40, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["record_id", "at", "id"], name="eventlog_timeline"),
            models.Index(fields=["id"], condition=models.Q(position=None), name="eventlog_unnumbered"),
        ]


class Numbering(models.Model):
    """One row (id 1): the last position given. Whoever holds its lock is the one who numbers."""

    last = models.BigIntegerField(default=0)


class Cursor(models.Model):
    """How far a subscriber has come. `failures` counts in a row; until `retry_at` it isn't called again."""

    name = models.CharField(max_length=60, primary_key=True)
    position = models.BigIntegerField(default=0)
    failures = models.IntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    moved_at = models.DateTimeField(default=clock.now)


class ParkedEvent(models.Model):
    """An event that a subscriber failed on again and again, set aside so that those after it can go on."""

    subscriber = models.CharField(max_length=60)
    position = models.BigIntegerField()
    name = models.CharField(max_length=200)
    error = models.TextField()
    failures = models.IntegerField()
    parked_at = models.DateTimeField(default=clock.now)
    state = models.CharField(max_length=10, default="parked")  # parked, retry, done, discarded

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subscriber", "position"], name="eventlog_parked_once")]
        indexes = [models.Index(fields=["state", "id"], name="eventlog_parked_state")]


class Quarantined(models.Model):
    """An event as it came in, and why it couldn't be taken. `original` keeps what came when somebody repaired it."""

    digest = models.CharField(max_length=64, unique=True)
    source = models.CharField(max_length=60)
    received_at = models.DateTimeField()
    name = models.CharField(max_length=200, blank=True)
    payload: Any = models.JSONField()
    original: Any = models.JSONField(null=True)
    code = models.CharField(max_length=60)
    field = models.CharField(max_length=200, blank=True)
    reason_en = models.TextField()
    reason_zh = models.TextField()
    state = models.CharField(max_length=10, default="open")  # open, replayed, discarded
    changed_at = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = [models.Index(fields=["state", "code", "field", "name", "id"], name="eventlog_quarantine")]


class IntakeCursor(models.Model):
    """How far a segment of the inbox was taken in; the row goes when the segment's file is gone."""

    segment = models.CharField(max_length=60, primary_key=True)
    offset = models.BigIntegerField()
