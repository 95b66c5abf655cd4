"""A version's content as a file of our own, which no other process has open."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backups.engines.interface import Content
from backups.engines.sqlite_check import RestoreProgress, quick_check
from backups.engines.sqlite_connection import opened, sqlite_errors_translated
from backups.errors import DatabaseFull, DatabaseUnreachable


@contextmanager
def checked_copy(
    content: Content, folder: Path | None, progress: RestoreProgress, *, prefix: str
) -> Iterator[Path]:
    """A file in `folder` (or the system's) that holds `content`, durable and checked by SQLite.

    It is removed at the end; link it elsewhere to keep it. Raises SourceError, StorageError.
    """
    path: str | None = None
    try:
        try:
            descriptor, path = tempfile.mkstemp(dir=folder, prefix=prefix)  # mode 0600
            with open(descriptor, "wb", buffering=0) as file:
                _write(file.fileno(), content, progress)
        except OSError as error:
            raise _file_error(error) from error
        if content.units:
            # Immutable, so that SQLite leaves no -wal and -shm beside it.
            with (
                opened(Path(path), lock_wait=0, immutable=True) as connection,
                sqlite_errors_translated(),
            ):
                quick_check(connection, progress.tick)
        yield Path(path)
    finally:
        if path is not None:
            with suppress(OSError):
                os.unlink(path)


def _write(descriptor: int, content: Content, progress: RestoreProgress) -> None:
    written = 0
    for block in content.blocks():
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        written += len(block)
        progress.written(written // content.unit_size)
    if written != os.fstat(descriptor).st_size or written != content.size:
        raise DatabaseUnreachable("the copy of the version is not as long as the version")
    os.fsync(descriptor)


def _file_error(error: OSError) -> DatabaseFull | DatabaseUnreachable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DatabaseFull("no room is left where the database is to be made")
    return DatabaseUnreachable(f"the database's folder cannot be written: {error.strerror}")
