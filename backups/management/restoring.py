"""What the commands that put a database back have in common."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from backups.findings import as_fields
from backups.management.base import BackupsCommand, asked
from backups.models import Backup
from backups.remote.command import add_waiting_arguments
from backups.services import restore_backup
from jobs.models import Job
from jobs.waiting import Asked, Exit, warn, warnings_of
from projects.management.base import iso, shown


class RestoringCommand(BackupsCommand):
    """A command that asks for the restore of a version."""

    def add_restore_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--yes", action="store_true", help="do not ask whether it is meant")
        parser.add_argument(
            "--no-safety",
            action="store_const",
            const=False,
            dest="safety",
            help="do not keep what the database holds now as a version first (default: as the"
            " setting SAFETY_VERSIONS says)",
        )
        add_waiting_arguments(parser)

    def restore(self, backup: Backup, options: dict[str, Any]) -> None:
        """Ask whether it is meant, if that is wanted, then ask for the restore."""
        if not options["yes"]:
            self._confirm(backup, options["safety"])
        project = backup.project

        def ask() -> tuple[Asked, Job]:
            asked_for, job = restore_backup(
                project=project, requested_by=None, version=backup.version, safety=options["safety"]
            )
            version = f"version {asked_for.version}"
            return asked(
                project,
                asked_for.version,
                job,
                f"the restore of {version} is asked for",
                f"{version} is restored",
                damaged=Exit.DAMAGED,
                last_restored=asked_for.created_on.timestamp(),
                **as_fields(asked_for.findings),
            )

        self.run(ask, options)

    def _confirm(self, backup: Backup, safety: bool | None) -> None:
        """Ask on the terminal; raises CommandError unless the answer is yes."""
        if not sys.stdin.isatty():
            raise CommandError("there is no terminal to ask on: say --yes if it is meant")
        project = backup.project
        kept = settings.SAFETY_VERSIONS if safety is None else safety
        warn(warnings_of({"version": backup.version, **as_fields(backup.findings)}))
        fate = "is kept as a version of its own first" if kept else "is lost"
        # Not on standard output, which may be a file that waits for JSON.
        self.stderr.write(
            f"This puts {shown(project.name)} ({project.gid}) back to version {backup.version},"
            f" {shown(backup.name)!r} by {shown(backup.created_by)} of {iso(backup.created_on)}."
            f" What is in it now {fate}. Type yes to do it: ",
            self.style.NOTICE,
            ending="",
        )
        self.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CommandError("nothing was done")
