import json
from argparse import ArgumentParser
from typing import Any

from backups.listing import version_details
from backups.management.base import BackupsCommand
from backups.models import Backup
from projects.management.base import iso, table
from projects.management.lookup import PROJECT_HELP, find_project

TITLES = (
    "VERSION",
    "NAME",
    "CREATED BY",
    "TIME",
    "SIZE",
    "STORED",
    "PURPOSE",
    "VERIFIED",
    "DAMAGE",
)


class Command(BackupsCommand):
    help = "Lists a project's versions, newest first; sizes are bytes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help=PROJECT_HELP)
        parser.add_argument(
            "--all", action="store_true", help="also those pending, failed or deleted"
        )
        parser.add_argument("--json", action="store_true", dest="as_json")
        parser.add_argument(
            "--facts",
            action="store_true",
            help="with --json, also what each database said of itself",
        )

    def handle(self, *args: Any, project: str, **options: Any) -> None:
        found = find_project(project)
        backups = Backup.objects.filter(project=found).select_related("job")
        if not options["all"]:
            backups = backups.restorable()
        if not options["facts"]:
            backups = backups.defer("facts")
        if options["as_json"]:
            told = [version_details(backup, with_facts=options["facts"]) for backup in backups]
            self.stdout.write(json.dumps({"project": str(found.gid), "versions": told}))
        elif options["all"]:
            self.stdout.write(table((*TITLES, "STATE"), ((*_row(b), b.state) for b in backups)))
        else:
            self.stdout.write(table(TITLES, map(_row, backups)))


def _row(backup: Backup) -> tuple[object, ...]:
    return (
        backup.version,
        backup.name,
        backup.created_by,
        iso(backup.created_on),
        "-" if backup.size is None else backup.size,
        "-" if backup.stored is None else backup.stored,
        backup.get_purpose_display(),
        iso(backup.verified_on),
        _damage(backup),
    )


def _damage(backup: Backup) -> str:
    findings = backup.findings
    if findings.damage:
        return findings.damage
    return f"not fully checked: {findings.unchecked}" if findings.unchecked else "-"
