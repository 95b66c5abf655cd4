import sys
from argparse import ArgumentParser
from contextlib import closing
from typing import Any

from django.core.management.base import CommandError

from backups.management.base import BackupsCommand
from backups.models import Backup
from backups.remote.command import add_waiting_arguments
from backups.services import restorable_version, restore_backup
from jobs.events import latest_cursor
from jobs.follower import JobNews
from jobs.waiting import Asked, conclude, deadline_after
from projects.management.base import iso, shown
from projects.management.lookup import PROJECT_HELP, find_active_project


class Command(BackupsCommand):
    help = "Puts a project's database back to one of its versions. What is in it now is lost."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help=PROJECT_HELP)
        parser.add_argument("version", type=int)
        parser.add_argument("--yes", action="store_true", help="do not ask whether it is meant")
        add_waiting_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        project = find_active_project(options["project"])
        backup = restorable_version(project, options["version"])
        if not options["yes"]:
            self._confirm(backup)
        deadline = deadline_after(options["timeout"])
        # Taken before the call, so that no event of the job can be missed.
        cursor = latest_cursor()
        backup, job = restore_backup(project=project, requested_by=None, version=backup.version)
        result = {
            "project": str(project.gid),
            "version": backup.version,
            "last_restored": backup.created_on.timestamp(),
            "job.token": str(job.token),
        }
        version = f"version {backup.version}"
        with closing(JobNews(cursor, job)) as news:
            conclude(
                Asked(result, f"the restore of {version} is asked for", f"{version} is restored"),
                news,
                wait=options["wait"],
                deadline=deadline,
                as_json=options["as_json"],
                out=self.stdout,
            )

    def _confirm(self, backup: Backup) -> None:
        """Ask on the terminal; raises CommandError unless the answer is yes."""
        if not sys.stdin.isatty():
            raise CommandError("there is no terminal to ask on: say --yes if it is meant")
        project = backup.project
        # Not on standard output, which may be a file that waits for JSON.
        self.stderr.write(
            f"This puts {shown(project.name)} ({project.gid}) back to version {backup.version},"
            f" {shown(backup.name)!r} by {shown(backup.created_by)} of {iso(backup.created_on)}."
            " What is in it now is lost. Type yes to do it: ",
            self.style.NOTICE,
            ending="",
        )
        self.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CommandError("nothing was done")
