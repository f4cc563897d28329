from typing import Any

from django.db import migrations, models

import regulars.customers.models
from regulars.customers.profiles import name_rest

AT_ONCE = 5000


def fill(apps: Any, schema_editor: Any) -> None:
    """The last parts of names that are there."""
    customers = apps.get_model("customers", "Customer").objects.exclude(name="").order_by("id")
    last = 0
    while rows := list(customers.filter(id__gt=last).values_list("name", "id")[:AT_ONCE]):
        with schema_editor.connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE customers_customer SET name_rest = %s WHERE id = %s",
                [(name_rest(name), id) for name, id in rows],
            )
        last = rows[-1][1]


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
