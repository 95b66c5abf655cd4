import json
from collections.abc import Mapping
from typing import Any

from django.db import migrations, models

FACTS_BYTES = 32 * 1024
TEXT_LENGTH = 500


def columns_of_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the facts say of damage, and the facts in no more than FACTS_BYTES of JSON."""
    damage = str(facts.get("damage") or "")[:TEXT_LENGTH]
    sound = damage or facts.get("structure_checked")
    kept = {name: value for name, value in facts.items() if name != "tables"}
    if len(json.dumps(kept)) > FACTS_BYTES // 2:
        kept = {"structure_checked": bool(facts.get("structure_checked"))}
        if damage:
            kept["damage"] = damage
    tables = facts.get("tables")
    if isinstance(tables, Mapping):
        left = FACTS_BYTES - len(json.dumps(kept)) - 100
        kept["tables"] = {}
        for name, rows in tables.items():
            left -= len(json.dumps({name: rows}))
            if left < 0:
                kept["tables_more"] = len(tables) - len(kept["tables"])
                break
            kept["tables"][name] = rows
    return {
        "facts": kept,
        "damage": damage,
        "unchecked": "" if sound else "not all of the database was looked at",
    }


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
