"""Seal each project's address anew, so that it is good for that project alone."""

import logging

from cryptography.fernet import InvalidToken
from django.db import migrations

from projects.databases import cipher

logger = logging.getLogger(__name__)


def _reseal(apps, change):
    for project in apps.get_model("projects", "Project").objects.all():
        try:
            text = cipher().decrypt(project.sealed_address.encode()).decode()
        except InvalidToken:
            # It is of no use now; its project says so when it is used. The others must go on.
            logger.warning("the address of project %s can't be opened", project.gid)
            continue
        project.sealed_address = cipher().encrypt(change(project, text).encode()).decode()
        project.save(update_fields=["sealed_address"])


def bind(apps, schema_editor):
    def bound(project, text):
        return text if text.startswith(f"{project.gid} ") else f"{project.gid} {text}"

    _reseal(apps, bound)


def unbind(apps, schema_editor):
    _reseal(apps, lambda project, text: text.removeprefix(f"{project.gid} "))


class Migration(migrations.Migration):
    dependencies = [("projects", "0003_database_rights")]
    operations = [migrations.RunPython(bind, unbind)]
