"""A version as a new database file, where the old one is gone."""

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backups.engines.interface import Content, Progress
from backups.engines.sqlite_copy import durable_copy
from backups.engines.sqlite_mark import FileMark
from backups.engines.sqlite_progress import RestoreProgress
from backups.errors import DatabaseBusy, DatabaseUnreachable, SourceError

_SIDECARS = ("-wal", "-journal", "-shm")


def rebuild(
    path: Path, content: Content, *, before_commit: Callable[[str], None], progress: Progress
) -> None:
    """Make the missing database at `path` (no symbolic link); see `Engine.restore`.

    The file is built under another name and appears at once, with mode 0600.
    A -wal, -journal or -shm that the old database left behind would be replayed into the new
    one: such files are kept under a name with ".stale-". Raises SourceError and what `content`
    raises; DatabaseBusy when a database has appeared at `path` meanwhile.
    """
    steps = RestoreProgress(progress, content.units)
    with durable_copy(content, path.parent, steps, prefix=f".{path.name}.restoring-") as built:
        steps.done()
        before_commit(str(FileMark.of(built)))
        with _sidecars_aside(path):
            _link(built, path)
    # The commit is done. Should the machine fail before the folder is on disk, the old state
    # (no database) returns; that is no reason to call a restore failed that all can see.
    with suppress(OSError):
        _sync_folder(path.parent)


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
