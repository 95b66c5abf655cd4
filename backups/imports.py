"""Asking for a version to be made of a database file."""

from django.db import transaction
from django.utils import timezone

from backups import targets, uploads
from backups.models import Backup
from backups.names import checked_name, default_name
from backups.numbers import next_version
from backups.services import Requested, recorded
from backups.uploads import KIND, Upload
from jobs import lifecycle
from projects.access import lock_project
from projects.errors import InvalidParameters
from projects.models import Project, User

# How a SQLite database file begins.
_MAGIC = b"SQLite format 3\0"
_PAGE = 4096


def import_version(
    *,
    project: Project,
    requested_by: User | None,
    created_by: str,
    upload: Upload,
    name: str | None = None,
) -> Requested:
    """Reserve the next version and queue the job that makes it of the upload, which is taken over.

    Raises InvalidParameters for what is no SQLite database, InvalidName, or JobNotStarted.
    """
    if not upload.starts_with(_MAGIC):
        raise InvalidParameters(upload_file="is not a SQLite database")
    targets.check_store(process="import")
    with recorded("import"):
        kept = uploads.keep(upload)
        try:
            with transaction.atomic():
                lock_project(project)
                version = next_version(project)
                name = default_name(version) if name is None else checked_name(name, version)
                job = lifecycle.submit(
                    project=project,
                    kind=KIND,
                    arguments={"version": version, "file": kept},
                    total=-(-upload.size // _PAGE),
                    requested_by=requested_by,
                )
                backup = Backup.objects.create(
                    project=project,
                    version=version,
                    name=name,
                    created_by=created_by,
                    created_on=timezone.now(),
                    requested_by=requested_by,
                    purpose=Backup.Purpose.IMPORTED,
                    job=job,
                )
        except BaseException:
            uploads.remove(kept)
            raise
    return Requested(backup, job)
