"""What the processes of a scaled installation share about the warehouse; empty where one process owns a file.

The rows themselves are Parquet files of the lake. Here stands which files count, in which order things changed, and
what the feed has to look up of orders. See docs/scaling.md and warehouse.lake.
"""

from typing import Any

from django.db import models

from regulars.kernel import clock


class Change(models.Model):
    """One step of the warehouse from one state to the next, for all processes to follow in the order of numbers.

    Written under the lock of `lake.changes.writing`, so numbers are dense and become visible in their order. A `whole`
    one says everything there is: readers begin at the last of them, and those before it are deleted.
    """

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(default=clock.now)
    whole = models.BooleanField(default=False)
    data: Any = models.JSONField(default=dict)  # {"meta": {key: value}, "add": {kind: {file: rows}}, "drop": [file]}
    rows = models.BinaryField(default=b"")  # MessagePack {table: Arrow IPC stream}: lake.replica.TABLES


class OrderEntry(models.Model):
    """What one event brought to an order: what its refunds and repetitions are held against. Follows from the lake."""

    order_id = models.TextField()
    position = models.BigIntegerField()
    record_id = models.BigIntegerField(null=True)
    store = models.TextField(null=True)
    channel = models.TextField(null=True)
    amount = models.BigIntegerField()
    kind = models.TextField()
    currency = models.TextField(null=True)

    class Meta:
        indexes = [models.Index(fields=["order_id"], name="warehouse_order")]
