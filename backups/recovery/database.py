"""A version's content as a new SQLite file."""

import errno
import hashlib
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backups.engines.interface import Content
from backups.engines.sqlite_check import check
from backups.engines.sqlite_connection import opened, sqlite_errors_translated
from backups.engines.sqlite_ownership import Rights, attainable, give, usable
from backups.errors import BackupsError, DatabaseDamaged, NotADatabase, SourceError
from backups.facts import Findings, findings_of

_SIDECARS = ("-wal", "-journal", "-shm")
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)


class TargetRefused(BackupsError):
    """The file can't be written, or not without harm to what is there."""


@dataclass(frozen=True)
class WrittenDatabase:
    """`size` in bytes, `sha256` in hex; `findings`: what SQLite's integrity check objects to, or
    why it could not look."""

    size: int
    sha256: str
    findings: Findings


def check_target(path: Path, *, replace: bool) -> None:
    """Raise TargetRefused unless a database may be written to `path`."""
    if path.is_dir():
        raise TargetRefused(f"{path} is a folder")
    if not path.parent.is_dir():
        raise TargetRefused(f"there is no folder {path.parent}")
    if not replace and os.path.lexists(path):
        raise TargetRefused(f"{path} exists; it is replaced only with --force")
    if replace:
        _rights(path)
    for suffix in _SIDECARS:
        sidecar = path.with_name(path.name + suffix)
        if os.path.lexists(sidecar):
            # SQLite would play another database's changes into the restored one.
            raise TargetRefused(f"{sidecar} belongs to another database; move it away first")


def write_database(content: Content, path: Path, *, replace: bool) -> WrittenDatabase:
    """Write the content to `path`, where it appears at once, wholly or not at all.

    The hash of the content decides whether it is kept, and not SQLite's opinion of it: that is
    told. Raises TargetRefused, and StorageError when the content is damaged.
    """
    check_target(path, replace=replace)
    built: str | None = None
    try:
        # Beside, so that it can be linked into place; with mode 0600, if it replaces none.
        descriptor, built = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.restoring-")
        with open(descriptor, "wb", buffering=0) as file:
            written = _write(file.fileno(), content)
            if replace and (rights := _rights(path)):
                give(file.fileno(), rights)
        findings = _findings(Path(built)) if written.size else Findings()
        check_target(path, replace=replace)
        _put_in_place(built, path, replace=replace)
        with suppress(OSError):  # not every file system knows it
            _sync_folder(path.parent)
    except FileExistsError as error:
        raise TargetRefused(f"{path} has appeared meanwhile; it was left as it is") from error
    except OSError as error:
        raise TargetRefused(f"{path} can't be written: {error.strerror}") from error
    finally:
        if built is not None:
            with suppress(OSError):
                os.unlink(built)
    return WrittenDatabase(written.size, written.sha256, findings)


def _write(descriptor: int, content: Content) -> WrittenDatabase:
    digest, size = hashlib.sha256(), 0
    for block in content.blocks():
        digest.update(block)
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        size += len(block)
    if not size == content.size == os.fstat(descriptor).st_size:
        raise TargetRefused("the file is not as long as the version; it was not kept")
    os.fsync(descriptor)
    return WrittenDatabase(size, digest.hexdigest(), Findings())


def _findings(path: Path) -> Findings:
    try:
        with (
            opened(path, lock_wait=0, immutable=True) as connection,
            sqlite_errors_translated(),
        ):
            return findings_of(check(connection, lambda: None, thorough=True).facts())
    except (DatabaseDamaged, NotADatabase) as error:
        return Findings(damage=error.reason)
    except SourceError as error:
        return Findings(unchecked=error.reason)


def _rights(path: Path) -> Rights | None:
    """Those that a file has to be given which replaces the one at `path`; None if there is none.

    Raises TargetRefused where the owner could not use what this user can make.
    """
    try:
        wanted, folder = Rights.of(os.lstat(path)), os.stat(path.parent)
    except FileNotFoundError:
        return None
    rights = attainable(wanted, folder)
    if not usable(rights, wanted, folder):
        raise TargetRefused(
            f"{path} is another user's, who could not use what replaces it; run this as that user,"
            " or as root"
        )
    return rights


def _put_in_place(built: str, path: Path, *, replace: bool) -> None:
    if replace:
        os.replace(built, path)
        return
    try:
        os.link(built, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # No hard links here, as on most sticks: look, then rename.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        os.rename(built, path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
