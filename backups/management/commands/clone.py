from argparse import ArgumentParser
from typing import Any

from backups.cloning import clone_backup
from backups.findings import as_fields
from backups.management.base import BackupsCommand, asked
from backups.remote.command import add_waiting_arguments
from jobs.models import Job
from jobs.waiting import Asked
from projects.management.base import shown
from projects.management.lookup import (
    PROJECT_HELP,
    USER_HELP,
    find_active_project,
    find_person,
)


class Command(BackupsCommand):
    help = "Makes a project whose database holds a version of another one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help=PROJECT_HELP)
        parser.add_argument("version", type=int)
        parser.add_argument(
            "--owner", metavar="USER", help=f"{USER_HELP} (default: the owner of PROJECT)"
        )
        parser.add_argument("--name", help="the new project's (default: by project and version)")
        add_waiting_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        project = find_active_project(options["project"])
        owner = find_person(options["owner"]) if options["owner"] else project.owner

        def ask() -> tuple[Asked, Job]:
            clone, backup, job = clone_backup(
                project=project,
                owner=owner,
                requested_by=None,
                version=options["version"],
                name=options["name"],
            )
            version = f"version {backup.version}"
            begun = f"{clone.gid} {shown(clone.name)} is to hold {version}"
            return asked(
                clone,
                backup.version,
                job,
                begun,
                f"{clone.gid} holds {version}",
                **as_fields(backup.findings),
            )

        self.run(ask, options)
