from typing import Any

from django.db import migrations, models

import regulars.customers.models
from regulars.customers.profiles import name_rest

AT_ONCE = 5000


def fill(apps: Any, schema_editor: Any) -> None:
    """The last parts of names that are there."""
    customers = apps.get_model("customers", "Customer").objects
    last = 0
    while rows := list(customers.filter(id__gt=last).exclude(name="").order_by("id").only("id", "name")[:AT_ONCE]):
        for row in rows:
            row.name_rest = name_rest(row.name)
        customers.bulk_update(rows, ["name_rest"], batch_size=500)
        last = rows[-1].id


class Migration(migrations.Migration):
    dependencies = [("customers", "0004_last_seen_of_the_figures")]

    operations = [
        migrations.AddField(
            "customer", "name_rest", models.CharField(blank=True, default="", max_length=200), preserve_default=False
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField("customer", "name_rest", models.CharField(blank=True, db_index=True, max_length=200)),
        migrations.AddIndex(
            "identity", models.Index(regulars.customers.models.LastFour("value"), name="customers_last_four")
        ),
    ]
