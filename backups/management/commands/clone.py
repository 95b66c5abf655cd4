from argparse import ArgumentParser
from contextlib import closing
from typing import Any

from backups.cloning import clone_backup
from backups.management.base import BackupsCommand
from backups.remote.command import add_waiting_arguments
from jobs.events import latest_cursor
from jobs.follower import JobNews
from jobs.waiting import Asked, conclude, deadline_after
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
        deadline = deadline_after(options["timeout"])
        # Taken before the call, so that no event of the job can be missed.
        cursor = latest_cursor()
        clone, backup, job = clone_backup(
            project=project,
            owner=owner,
            requested_by=None,
            version=options["version"],
            name=options["name"],
        )
        result = {
            "project": str(clone.gid),
            "version": backup.version,
            "job.token": str(job.token),
        }
        begun = f"{clone.gid} {shown(clone.name)} is to hold version {backup.version}"
        with closing(JobNews(cursor, job)) as news:
            conclude(
                Asked(result, begun, f"{clone.gid} holds version {backup.version}"),
                news,
                wait=options["wait"],
                deadline=deadline,
                as_json=options["as_json"],
                out=self.stdout,
            )
