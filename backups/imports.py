"""Asking for a version to be made of a database file."""

from django.db import transaction

from backups import targets, uploads
from backups.models import Backup
from backups.services import Requested, recorded, reserve_version
from backups.uploads import KIND, Upload
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
                return reserve_version(
                    project=project,
                    requested_by=requested_by,
                    created_by=created_by,
                    name=name,
                    purpose=Backup.Purpose.IMPORTED,
                    kind=KIND,
                    arguments={"file": kept},
                    total=-(-upload.size // _PAGE),
                )
        except BaseException:
            uploads.remove(kept)
            raise
