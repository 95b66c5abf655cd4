"""Database files that were uploaded: kept until the job that imports them has ended."""

import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from backups import targets
from backups.errors import JobNotStarted
from jobs.models import Job

KIND = "import_version"
SCOPE_KEY = "savepoint.upload"
# Between the file's last move and the record of its job lies a moment only.
_ABANDONED_SECONDS = 3600.0
# Other things live on the same disk, Savepoint's own database perhaps: so much is left to them.
_KEPT_FREE_BYTES = 1 << 28
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Upload:
    """A file that came with a call. Whoever received it removes it after the call, if it is still
    where it was. `sha256` is in hex.

    `is_snapshot`: it is what a database held at one moment, not a file as somebody has kept it.
    """

    path: Path
    size: int
    sha256: str
    is_snapshot: bool = False

    def beginning(self, length: int) -> bytes:
        """The first bytes of the file, at most so many. Raises OSError."""
        with open(self.path, "rb") as file:
            return file.read(length)


def receiving_path() -> Path:
    """A new name for a file that is being received. Sweeps remove what stays there for a day."""
    folder = Path(settings.SCRATCH_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"savepoint-upload-{secrets.token_hex(8)}"


def check_room(wanted: int) -> None:
    """Raise OSError when an upload of so many bytes, or bytes more, would fill the disk."""
    if shutil.disk_usage(settings.SCRATCH_DIR).free < wanted + _KEPT_FREE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def copied(source: Path, *, keep_damaged: bool = False) -> Iterator[Upload]:
    """What a SQLite database of this machine, which may be in use, holds at one moment; see
    `Engine.snapshot`.

    Removed at the end, unless it was kept. Raises SourceError, or OSError of the scratch folder.
    """
    path = receiving_path()
    try:
        hasher = hashlib.sha256()
        with (
            targets.engine_of_file(source).snapshot(keep_damaged=keep_damaged) as snapshot,
            open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as copy,
        ):
            check_room(snapshot.size)
            for piece in snapshot.blocks(_BLOCK):
                hasher.update(piece)
                copy.write(piece)
            copy.flush()
            os.fsync(copy.fileno())
            size = copy.tell()
        yield Upload(path, size, hasher.hexdigest(), is_snapshot=True)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)


def kept_path(name: str) -> Path:
    """Where the upload that a job names is kept."""
    return _folder() / name


def keep(upload: Upload) -> str:
    """Move the file to where its job will look for it, durably; returns its name there.

    Raises JobNotStarted.
    """
    name = f"{secrets.token_hex(16)}.sqlite3"
    try:
        _folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        os.rename(upload.path, kept_path(name))
        descriptor = os.open(_folder(), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        reason = f"the uploaded file can't be kept: {error.strerror}"
        raise JobNotStarted("import", reason) from error
    return name


def remove(name: str) -> None:
    """Remove a kept upload; nothing happens when there is none."""
    with suppress(FileNotFoundError):
        os.unlink(kept_path(name))


def remove_abandoned() -> int:
    """Remove the uploads that no job waits for any more. Returns how many there were."""
    before = time.time() - _ABANDONED_SECONDS
    try:
        with os.scandir(_folder()) as entries:
            old = [entry.name for entry in entries if entry.stat().st_ctime < before]
    except FileNotFoundError:
        return 0
    active = Job.objects.filter(kind=KIND, status__in=Job.ACTIVE)
    wanted = {arguments["file"] for arguments in active.values_list("arguments", flat=True)}
    abandoned = [name for name in old if name not in wanted]
    for name in abandoned:
        remove(name)
    return len(abandoned)


def _folder() -> Path:
    return Path(settings.SCRATCH_DIR) / "imports"
