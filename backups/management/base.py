"""What the commands that back up and restore have in common."""

import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

from django.core.management.base import CommandError

from backups.errors import JobNotStarted, VersionUnknown
from jobs.events import latest_cursor
from jobs.follower import JobNews
from jobs.models import Job
from jobs.waiting import Asked, Exit, Unsuccessful, conclude, deadline_after
from projects.management.base import ServiceCommand
from projects.models import Project


def asked(
    project: Project,
    version: int,
    job: Job,
    begun: str,
    ended: str,
    *,
    damaged: Exit = Exit.WELL,
    **more: Any,
) -> tuple[Asked, Job]:
    """A job for a version of a project, as `BackupsCommand.run` wants it.

    `begun` and `ended` are told to people; `more` stands with what the API answers as well. For
    `damaged` see `Asked`.
    """
    result = {"project": str(project.gid), "version": version, **more, "job.token": str(job.token)}
    return Asked(result, begun, ended, damaged=damaged), job


class BackupsCommand(ServiceCommand):
    """A command that asks for jobs. Its exit codes are those of jobs.waiting.Exit."""

    refusals = (*ServiceCommand.refusals, JobNotStarted, VersionUnknown)

    # How its jobs have ended: the worst of them, if there are several.
    ended = Exit.WELL

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            output = super().execute(*args, **options)
        except Unsuccessful as error:
            raise CommandError(error.reason, returncode=error.code) from error
        if self.ended != Exit.WELL:
            sys.exit(self.ended)
        return output

    def run(
        self,
        ask: Callable[[], tuple[Asked, Job]],
        options: dict[str, Any],
        *,
        deadline: float | None = None,
    ) -> None:
        """Ask for a job, and tell of it as the options say: see add_waiting_arguments.

        `deadline`: by the monotonic clock; None for what the options say. Raises Unsuccessful,
        and what `ask` raises.
        """
        if deadline is None:
            deadline = deadline_after(options["timeout"])
        # Taken before the call, so that no event of the job can be missed.
        cursor = latest_cursor()
        asked, job = ask()
        with closing(JobNews(cursor, job)) as news:
            ended = conclude(
                asked,
                news,
                wait=options["wait"],
                deadline=deadline,
                as_json=options["as_json"],
                out=self.stdout,
            )
        self.ended = max(self.ended, ended)
