from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from backups.management.base import BackupsCommand, asked
from backups.remote import command as remote
from backups.services import create_backup
from backups.views.versions import CreateParameters
from jobs.models import Job
from jobs.waiting import Asked, Exit
from projects.management.lookup import PROJECT_HELP, find_active_project


class Command(BackupsCommand):
    help = (
        "Makes a version of a project's database: here or, with --url, on a Savepoint elsewhere."
        " A machine without Savepoint's settings has the latter as `python -m backups.remote`."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", nargs="?", help=f"{PROJECT_HELP}; with --url its gid")
        remote.add_backup_arguments(parser)
        remote.add_remote_arguments(parser, url_required=False)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["url"]:
            remote.run(options, self.stdout)
            return
        if options["api_key"] or options["api_key_file"] or options["project_gid"]:
            raise CommandError(
                "--project, --api-key and --api-key-file go with --url only", returncode=Exit.USAGE
            )
        if not options["project"]:
            raise CommandError("name a project", returncode=Exit.USAGE)
        project = find_active_project(options["project"])
        created_by = CreateParameters.read({"created_by": options["created_by"]})["created_by"]

        def ask() -> tuple[Asked, Job]:
            backup, job = create_backup(
                project=project,
                requested_by=None,
                created_by=created_by,
                name=options["name"],
                keep_damaged=options["keep_damaged"],
            )
            version = f"version {backup.version}"
            return asked(
                project,
                backup.version,
                job,
                f"{version} is asked for",
                f"{version} is complete",
                last_backed_up=backup.created_on.timestamp(),
            )

        self.run(ask, options)
