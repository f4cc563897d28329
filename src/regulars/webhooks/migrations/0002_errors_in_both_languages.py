from typing import Any

from django.db import migrations, models


def both(apps: Any, schema_editor: Any) -> None:
    """What was written so far is English; it is said so in both."""
    attempts = apps.get_model("webhooks", "Attempt").objects
    changed = [row for row in attempts.exclude(said="").iterator() if row.said]
    for row in changed:
        row.error = {"en": row.said, "zh": row.said}
    attempts.bulk_update(changed, ["error"], batch_size=500)


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0001_initial")]

    operations = [
        migrations.RenameField("attempt", "error", "said"),
        migrations.AddField("attempt", "error", models.JSONField(null=True)),
        migrations.RunPython(both, migrations.RunPython.noop),
        migrations.RemoveField("attempt", "said"),
    ]
