"""Asking for a version to be made of a database file."""

from django.db import transaction

from backups import targets, uploads
from backups.errors import JobNotStarted
from backups.formats import LOOKED_AT_BYTES, refusal_of, remarks_on
from backups.models import Backup
from backups.services import Requested, recorded, reserve_version
from backups.uploads import KIND, Upload
from projects.errors import InvalidParameters
from projects.models import Project, User

_PAGE = 4096


def import_version(
    *,
    project: Project,
    requested_by: User | None,
    created_by: str,
    upload: Upload,
    name: str | None = None,
    keep_damaged: bool = False,
) -> Requested:
    """Reserve the next version and queue the job that makes it of the upload, which is taken over.

    `keep_damaged`: a file that is found to be damaged is kept as it is, not refused. Raises
    InvalidParameters for what is no SQLite database, InvalidName, or JobNotStarted.
    """
    beginning = _beginning(upload)
    if reason := refusal_of(beginning):
        raise InvalidParameters(upload_file=reason)
    targets.check_store(process="import")
    with recorded("import"):
        kept = uploads.keep(upload)
        try:
            with transaction.atomic():
                requested = reserve_version(
                    project=project,
                    requested_by=requested_by,
                    created_by=created_by,
                    name=name,
                    purpose=Backup.Purpose.IMPORTED,
                    kind=KIND,
                    arguments={"file": kept, "keep_damaged": keep_damaged},
                    total=-(-upload.size // _PAGE),
                )
                if not upload.is_snapshot and (remarks := remarks_on(beginning)):
                    requested.backup.remarks = remarks
                    requested.backup.save(update_fields=["remarks"])
                return requested
        except BaseException:
            uploads.remove(kept)
            raise


def _beginning(upload: Upload) -> bytes:
    try:
        return upload.beginning(LOOKED_AT_BYTES)
    except OSError as error:
        reason = f"the uploaded file can't be read: {error.strerror}"
        raise JobNotStarted("import", reason) from error
