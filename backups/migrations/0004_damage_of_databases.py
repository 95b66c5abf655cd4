from collections.abc import Mapping
from typing import Any

from django.db import migrations, models

from backups.findings import columns_of_facts


def fill(apps: Any, schema_editor: Any) -> None:
    """Tell of each version what its facts say, and keep no more of these than is wanted."""
    backups = apps.get_model("backups", "Backup").objects
    complete = backups.filter(completed_on__isnull=False).order_by("pk")
    # One at a time: facts were of any size.
    for pk in list(complete.values_list("pk", flat=True)):
        facts = backups.values_list("facts", flat=True).get(pk=pk)
        columns = columns_of_facts(facts if isinstance(facts, Mapping) else {})
        backups.filter(pk=pk).update(**columns)


class Migration(migrations.Migration):

    dependencies = [
        ('backups', '0003_sweep'),
    ]

    operations = [
        migrations.RenameField(
            model_name='backup',
            old_name='damage',
            new_name='storage_damage',
        ),
        migrations.AlterField(
            model_name='backup',
            name='storage_damage',
            field=models.TextField(blank=True, help_text='Of what is stored of the version.'),
        ),
        migrations.AddField(
            model_name='backup',
            name='damage',
            field=models.TextField(blank=True, default='', help_text='Of the database when it was backed up.'),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='backup',
            name='unchecked',
            field=models.TextField(blank=True, default='', help_text='What could not be looked at, and why.'),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='backup',
            name='remarks',
            field=models.JSONField(default=list, help_text='Texts: what to know of an imported file.'),
        ),
        migrations.AlterField(
            model_name='backup',
            name='facts',
            field=models.JSONField(default=dict, help_text='Bounded: see backups.findings.'),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
