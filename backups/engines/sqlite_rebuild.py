"""A version as a new database file, where the old one is gone."""

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backups.engines.interface import Content, Progress
from backups.engines.sqlite_copy import durable_copy
from backups.engines.sqlite_leftovers import RESTORING, made_here, remove_abandoned
from backups.engines.sqlite_live import REMEDY
from backups.engines.sqlite_mark import FileMark
from backups.engines.sqlite_ownership import Rights, attainable, usable
from backups.engines.sqlite_progress import RestoreProgress
from backups.errors import DatabaseBusy, DatabaseUnreachable, SourceError

NOT_GIVEN = (
    "the database is gone, and its owner could not use a new one that Savepoint's user makes;"
    f" {REMEDY}"
)

_SIDECARS = ("-wal", "-journal", "-shm")


def rebuild(
    path: Path,
    content: Content,
    *,
    rights: Rights | None,
    before_commit: Callable[[str], None],
    progress: Progress,
) -> None:
    """Make the missing database at `path` (no symbolic link); see `Engine.restore`.

    The file is built under another name and appears at once, with the `rights` of the one that was
    there; for those of an unknown one see `_expected`. Refused where its owner could not use it.
    A -wal, -journal or -shm that the old database left behind would be replayed into the new
    one: such files are kept under a name with ".stale-". Raises SourceError and what `content`
    raises; DatabaseBusy when a database has appeared at `path` meanwhile.
    """
    given = _given(path, rights)
    remove_abandoned(path)
    steps = RestoreProgress(progress, content.units)
    prefix = made_here(path, RESTORING)
    with durable_copy(content, path.parent, steps, prefix=prefix, rights=given) as built:
        steps.done()
        before_commit(str(FileMark.of(built)))
        with _sidecars_aside(path):
            _link(built, path)
    # The commit is done. Should the machine fail before the folder is on disk, the old state
    # (no database) returns; that is no reason to call a restore failed that all can see.
    with suppress(OSError):
        _sync_folder(path.parent)


def _given(path: Path, rights: Rights | None) -> Rights:
    """What the new file is given. Raises DatabaseUnreachable where its owner could not use it."""
    with _folder_errors():
        folder = os.stat(path.parent)
        wanted = rights or _expected(path, folder)
    given = attainable(wanted, folder)
    if not usable(given, wanted, folder):
        raise DatabaseUnreachable(NOT_GIVEN)
    return given


def _expected(path: Path, folder: os.stat_result) -> Rights:
    """The rights of the database that was there, by what is left.

    SQLite gave those of the database to a -wal, -journal or -shm. Else it is taken to belong to the
    owner of the folder, and its group to use it if that may write the folder; nobody else.
    """
    for suffix in _SIDECARS:
        with suppress(FileNotFoundError):
            return Rights.of(os.lstat(path.with_name(path.name + suffix)))
    if folder.st_mode & (stat.S_ISVTX | stat.S_IWOTH):  # all may write it; it tells nothing
        return Rights(os.geteuid(), os.getegid(), 0o600)
    return Rights(folder.st_uid, folder.st_gid, 0o660 if folder.st_mode & stat.S_IWGRP else 0o600)


@contextmanager
def _folder_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatabaseUnreachable(
            f"the database's folder cannot be written: {error.strerror}"
        ) from error


@contextmanager
def _sidecars_aside(path: Path) -> Iterator[None]:
    mark = secrets.token_hex(4)
    moved: list[tuple[Path, Path]] = []
    try:
        for suffix in _SIDECARS:
            sidecar = path.with_name(path.name + suffix)
            aside = path.with_name(f"{path.name}{suffix}.stale-{mark}")
            with suppress(FileNotFoundError):
                os.rename(sidecar, aside)
                moved.append((sidecar, aside))
        if moved:
            # Before the new file can be on disk, or a power failure could bring both together.
            _sync_folder(path.parent)
        yield
    except BaseException as error:
        for sidecar, aside in moved:
            with suppress(OSError):
                os.link(aside, sidecar)  # not over what another process has made meanwhile
                os.unlink(aside)
        if isinstance(error, OSError):
            raise DatabaseUnreachable(
                f"the database's folder cannot be written: {error.strerror}"
            ) from error
        raise


def _link(built: Path, path: Path) -> None:
    try:
        os.link(built, path)
    except FileExistsError as error:
        raise DatabaseBusy(
            "a database has appeared at the address meanwhile; it was left as it is"
        ) from error
    except OSError as error:
        raise _link_error(error) from error


def _link_error(error: OSError) -> SourceError:
    if error.errno in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP):
        return DatabaseUnreachable("the database's file system knows no hard links")
    return DatabaseUnreachable(f"the database's folder cannot be written: {error.strerror}")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
