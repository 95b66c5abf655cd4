import hashlib
import os
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from backups.imports import import_version
from backups.management.base import BackupsCommand
from backups.remote.command import add_waiting_arguments, system_user
from backups.uploads import Upload, receiving_path
from backups.views.versions import LabelParameters
from jobs.models import Job
from jobs.waiting import Asked, Exit
from projects.management.lookup import PROJECT_HELP, find_active_project

_PIECE = 1 << 20


class Command(BackupsCommand):
    help = "Makes a version of a SQLite file. The project's database stays as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help=PROJECT_HELP)
        parser.add_argument("file", type=Path, help="a SQLite database that nobody has in use")
        parser.add_argument("--name", help="the version's name (default: Backup and its number)")
        parser.add_argument(
            "--created-by",
            default=system_user(),
            metavar="TEXT",
            help="who or what makes it (default: the system user's name)",
        )
        add_waiting_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        project = find_active_project(options["project"])
        label = {name: options[name] for name in ("created_by", "name") if options[name]}
        label = LabelParameters.read(label)

        def ask() -> tuple[Asked, Job]:
            with _copied(options["file"]) as upload:
                backup, job = import_version(
                    project=project, requested_by=None, upload=upload, **label
                )
            result = {
                "project": str(project.gid),
                "version": backup.version,
                "job.token": str(job.token),
            }
            version = f"version {backup.version}"
            return Asked(result, f"{version} is asked for", f"{version} is complete"), job

        self.run(ask, options)


@contextmanager
def _copied(source: Path) -> Iterator[Upload]:
    """A copy of the file that the import may take over; removed if it does not."""
    path = receiving_path()
    try:
        with open(source, "rb") as given, open(path, "xb", opener=_private) as copy:
            _check_at_rest(source)
            hasher = hashlib.sha256()
            while piece := given.read(_PIECE):
                hasher.update(piece)
                copy.write(piece)
            copy.flush()
            os.fsync(copy.fileno())
            size = copy.tell()
            _check_at_rest(source)
        yield Upload(path, size, hasher.hexdigest())
    except OSError as error:
        place = f"{source}: " if error.filename == os.fspath(source) else ""
        raise CommandError(f"{place}{error.strerror}", returncode=Exit.REFUSED) from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)


def _check_at_rest(source: Path) -> None:
    """Raise CommandError for a file whose newest changes lie beside it."""
    for suffix in ("-wal", "-journal"):
        beside = source.with_name(source.name + suffix)
        if beside.exists() and beside.stat().st_size:
            raise CommandError(
                f"{source} is in use, or was not closed: {beside.name} beside it holds changes."
                " Make a copy that is whole first: sqlite3 FILE '.backup COPY'",
                returncode=Exit.REFUSED,
            )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
