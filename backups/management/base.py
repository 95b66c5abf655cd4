"""What the commands that back up and restore have in common."""

from typing import Any

from django.core.management.base import CommandError

from backups.errors import JobNotStarted, VersionUnknown
from jobs.waiting import Unsuccessful
from projects.management.base import ServiceCommand


class BackupsCommand(ServiceCommand):
    """A command that asks for jobs. Its exit codes are those of jobs.waiting.Exit."""

    refusals = (*ServiceCommand.refusals, JobNotStarted, VersionUnknown)

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except Unsuccessful as error:
            raise CommandError(error.reason, returncode=error.code) from error
