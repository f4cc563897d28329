"""Where events are sent on to, what has to be sent, and how each attempt went. Private to this app."""

from typing import Any

from django.db import models

from regulars.kernel import clock


class Endpoint(models.Model):
    """An address that wants events: those named in `events`, all when it is empty. `secret` ("whsec_…") signs."""

    url = models.CharField(max_length=500)
    name = models.CharField(max_length=100, blank=True)
    events: Any = models.JSONField(default=list)
    secret = models.CharField(max_length=100)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=clock.now)
    removed_at = models.DateTimeField(null=True)
    paused_reason = models.CharField(max_length=200, blank=True)


class Delivery(models.Model):
    """One event for one endpoint. `key` is the webhook-id, the same in every attempt, by which the receiver knows
    what it has had. `state`: waiting (until `due_at`), sending (claimed until `due_at`), delivered, failed, cancelled.
    """

    key = models.CharField(max_length=40, unique=True)
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="+")
    message_id = models.CharField(max_length=100)
    event = models.CharField(max_length=200)
    record_id = models.BigIntegerField(null=True, db_index=True)
    body = models.TextField()
    state = models.CharField(max_length=10, default="waiting")
    due_at = models.DateTimeField(default=clock.now)
    attempts = models.IntegerField(default=0)
    tries = models.IntegerField(default=0)  # since it was last put in line
    created_at = models.DateTimeField(default=clock.now)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["endpoint", "message_id"], name="webhooks_once")]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(state__in=("waiting", "sending")), name="webhooks_due"),
            models.Index(fields=["endpoint", "-id"], name="webhooks_log"),
        ]


class Attempt(models.Model):
    """`status` is the answer's (null: none came, `error` says why, as {"en", "zh"}); `excerpt` how its text began."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="+")
    at = models.DateTimeField(default=clock.now)
    status = models.IntegerField(null=True)
    milliseconds = models.IntegerField()
    error: Any = models.JSONField(null=True)
    excerpt = models.CharField(max_length=500, blank=True)
