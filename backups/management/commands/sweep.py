from argparse import ArgumentParser
from contextlib import closing
from typing import Any

from django.core.management.base import CommandError

from backups.management.base import BackupsCommand
from backups.models import Sweep
from backups.remote.command import add_waiting_arguments
from backups.sweeps import sweep_project
from jobs.events import latest_cursor
from jobs.follower import JobNews
from jobs.models import Job
from jobs.waiting import Asked, Exit, Unsuccessful, conclude, deadline_after
from projects.management.base import shown
from projects.management.lookup import PROJECT_HELP, find_active_project
from projects.models import Project


class Command(BackupsCommand):
    help = (
        "Deletes what none of a project's versions needs any more, once the time of grace is over;"
        " sweeps of all projects come by themselves now and then."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "projects", nargs="*", metavar="project", help=f"{PROJECT_HELP}; default: all"
        )
        add_waiting_arguments(parser)

    def handle(self, *args: Any, projects: list[str], **options: Any) -> None:
        found = [find_active_project(text) for text in dict.fromkeys(projects)] or list(
            Project.objects.filter(status=Project.Status.ACTIVE).order_by("pk")
        )
        if not found:
            raise CommandError("there is no project")
        deadline = deadline_after(options["timeout"])
        # Taken before the calls, so that no event of a job can be missed.
        cursor = latest_cursor()
        jobs = [sweep_project(project=project, requested_by=None) for project in found]
        failures = []
        for job in jobs:
            try:
                self._conclude(job, cursor, deadline, options)
            except Unsuccessful as error:
                if error.code == Exit.INTERRUPTED:
                    raise
                failures.append(error)
                if len(jobs) > 1:
                    self.stderr.write(f"{job.project.gid}: {error.reason}")
        if failures:
            raise failures[0]

    def _conclude(self, job: Job, cursor: int, deadline: float, options: dict[str, Any]) -> None:
        name = f"{shown(job.project.name)} ({job.project.gid})"
        with closing(JobNews(cursor, job)) as news:
            conclude(
                Asked(
                    {"project": str(job.project.gid), "job.token": str(job.token)},
                    f"the sweep of {name} is asked for",
                    f"{name} is swept",
                    outcome=lambda: _outcome(job),
                ),
                news,
                wait=options["wait"],
                deadline=deadline,
                as_json=options["as_json"],
                out=self.stdout,
            )
        if options["wait"] and not options["as_json"]:
            told = _outcome(job)
            self.stdout.write(
                f"{told['deleted']} objects deleted, {told['freed']} bytes came back,"
                f" {told['written']} bytes were written anew; {told['waiting']} objects wait"
            )


def _outcome(job: Job) -> dict[str, Any]:
    swept = Sweep.objects.get(job=job)
    return {name: getattr(swept, name) for name in ("deleted", "freed", "written", "waiting")}
