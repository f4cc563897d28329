"""What the console keeps for people: views of lists that they gave a name. Private to the console."""

from django.db import models

from regulars.kernel import clock


class SavedView(models.Model):
    """`query` is the address's query; `shared`: everybody sees it, who made it may remove it."""

    staff_id = models.BigIntegerField(db_index=True)
    area = models.CharField(max_length=40)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000)
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["staff_id", "area", "name"], name="console_view_once")]
