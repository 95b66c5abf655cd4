from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError

from backups.errors import VersionUnknown
from backups.management.base import BackupsCommand, asked
from backups.models import Backup
from backups.remote.command import add_waiting_arguments
from backups.verification import verify_backup
from jobs.models import Job
from jobs.waiting import Asked, Exit, Unsuccessful, deadline_after
from projects.management.lookup import PROJECT_HELP, find_active_project
from projects.models import Project


class Command(BackupsCommand):
    help = (
        "Finds out whether a project's versions are whole: all that is stored, and what it makes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help=PROJECT_HELP)
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("version", nargs="?", type=int)
        which.add_argument(
            "--all",
            action="store_true",
            help="all versions, the oldest first; with --json an object and a line for each",
        )
        add_waiting_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        project = find_active_project(options["project"])
        options["deadline"] = deadline_after(options["timeout"])
        if not options["all"]:
            self._verify(project, options["version"], options)
            return
        if bad := list(self._failures(project, options)):
            raise CommandError("\n".join(bad), returncode=Exit.FAILED)

    def _failures(self, project: Project, options: dict[str, Any]) -> Iterator[str]:
        """Verify all versions; gives which of them failed, and why."""
        versions = Backup.objects.restorable().filter(project=project).order_by("version")
        for version in list(versions.values_list("version", flat=True)):
            try:
                self._verify(project, version, options)
            except VersionUnknown:
                continue  # deleted meanwhile
            except Unsuccessful as error:
                if error.code != Exit.FAILED:
                    raise
                yield f"version {version}: {error.reason}"

    def _verify(self, project: Project, number: int, options: dict[str, Any]) -> None:
        def ask() -> tuple[Asked, Job]:
            backup, job = verify_backup(project=project, requested_by=None, version=number)
            version = f"version {backup.version}"
            begun = f"the verification of {version} is asked for"
            ended = f"{version} is whole: all that was backed up is there"
            return asked(project, backup.version, job, begun, ended, damaged=Exit.DAMAGED)

        self.run(ask, options, deadline=options["deadline"])
