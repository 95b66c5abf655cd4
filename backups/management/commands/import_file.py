from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from backups import uploads
from backups.errors import NotADatabase, SourceError
from backups.formats import LOOKED_AT_BYTES, refusal_of
from backups.imports import import_version
from backups.management.base import BackupsCommand, asked
from backups.remote.command import add_damage_argument, add_label_arguments, add_waiting_arguments
from backups.uploads import Upload
from backups.views.versions import LabelParameters
from jobs.models import Job
from jobs.waiting import Asked, Exit
from projects.management.lookup import PROJECT_HELP, find_active_project


class Command(BackupsCommand):
    help = "Makes a version of a SQLite file. The project's database stays as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help=PROJECT_HELP)
        parser.add_argument("file", type=Path, help="a SQLite database, which may be in use")
        add_label_arguments(parser)
        add_damage_argument(parser)
        add_waiting_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        project = find_active_project(options["project"])
        given = {name: options[name] for name in ("created_by", "name") if options[name]}
        label = LabelParameters.read(given)

        def ask() -> tuple[Asked, Job]:
            with ExitStack() as stack:
                upload = _copied(stack, options["file"], keep_damaged=options["keep_damaged"])
                backup, job = import_version(
                    project=project,
                    requested_by=None,
                    upload=upload,
                    keep_damaged=options["keep_damaged"],
                    **label,
                )
            version = f"version {backup.version}"
            begun, ended = f"{version} is asked for", f"{version} is complete"
            return asked(project, backup.version, job, begun, ended)

        self.run(ask, options)


def _copied(stack: ExitStack, file: Path, *, keep_damaged: bool) -> Upload:
    try:
        return stack.enter_context(uploads.copied(file, keep_damaged=keep_damaged))
    except NotADatabase as error:
        reason = (_hint(file) if file.is_file() else None) or error.reason
        raise CommandError(f"{file}: {reason}", returncode=Exit.REFUSED) from error
    except SourceError as error:
        raise CommandError(f"{file}: {error.reason}", returncode=Exit.REFUSED) from error
    except OSError as error:
        reason = f"{file} can't be copied into the scratch folder: {error.strerror}"
        raise CommandError(reason, returncode=Exit.REFUSED) from error


def _hint(file: Path) -> str | None:
    """Why this file, which SQLite doesn't take, can't be imported; None if it can't be told."""
    with file.open("rb") as opened:
        return refusal_of(opened.read(LOOKED_AT_BYTES))
