"""Answers kept for requests with an Idempotency-Key. Private to this app."""

from django.db import models

from regulars.kernel import clock


class StoredAnswer(models.Model):
    """What a key's request was answered, for 24 hours. Written in the transaction of the change itself: the answer is
    there exactly when the change is. `digest` tells the same request from another one under the same Idempotency-Key.
    """

    api_key = models.IntegerField()
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    status = models.IntegerField(default=0)
    body = models.TextField(blank=True)
    at = models.DateTimeField(default=clock.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api_key", "key"], name="api_answered_once")]
