"""A version's content as a file of our own, which no other process has open."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from backups.engines.interface import Content
from backups.engines.sqlite_connection import (
    Connection,
    lenient,
    opened,
    sqlite_errors_translated,
)
from backups.engines.sqlite_ownership import Rights, give
from backups.engines.sqlite_progress import RestoreProgress
from backups.engines.sqlite_writing import FileWriter, written
from backups.errors import DatabaseFull, DatabaseUnreachable

_READ_SIZE = 1 << 22


@contextmanager
def durable_copy(
    content: Content,
    folder: Path | None,
    progress: RestoreProgress,
    *,
    prefix: str,
    rights: Rights | None = None,
) -> Iterator[Path]:
    """A file in `folder` (or the system's) that holds `content`, and is on the disk.

    It has the `rights`, or is this user's alone. The file is removed at the end; link it elsewhere
    to keep it. Raises SourceError, StorageError.
    """
    with _new_file(folder, prefix) as (path, file):
        # Closed before anybody can open the file as a database: see sqlite_connection.
        with _errors_translated(), file, written(file.fileno(), durable=True) as writer:
            _write(writer, content, progress)
            if rights is not None:
                give(file.fileno(), rights)
        yield path


@contextmanager
def content_copy(
    content: Content, folder: Path | None, progress: RestoreProgress, *, prefix: str
) -> Iterator[Path]:
    """The same, but not durable: to be looked at and given up."""
    with _new_file(folder, prefix) as (path, file):
        with _errors_translated(), file, written(file.fileno(), durable=False) as writer:
            _write(writer, content, progress)
        yield path


@contextmanager
def _new_file(folder: Path | None, prefix: str) -> Iterator[tuple[Path, FileIO]]:
    with _errors_translated():
        descriptor, path = tempfile.mkstemp(dir=folder, prefix=prefix)  # mode 0600
    try:
        yield Path(path), FileIO(descriptor, "w")
    finally:
        with suppress(OSError):
            os.unlink(path)


def check_readable(path: Path) -> None:
    """Raise DatabaseUnreachable if the disk fails to read a file of our own.

    SQLite calls some failures of the disk damage of the database (SQLITE_IOERR_CORRUPTFS).
    """
    try:
        with open(path, "rb", buffering=0) as file:
            while file.read(_READ_SIZE):
                pass
    except OSError as error:
        raise DatabaseUnreachable(f"the disk failed to read: {error.strerror}") from error


@contextmanager
def opened_copy(path: Path) -> Iterator[Connection]:
    """A connection to a copy that is not empty, which is lenient: see there. Raises SourceError."""
    # Immutable, so that SQLite leaves no -wal and -shm beside it.
    with (
        opened(path, lock_wait=0, immutable=True) as connection,
        sqlite_errors_translated(),
    ):
        lenient(connection, yes=True)
        yield connection


def _write(writer: FileWriter, content: Content, progress: RestoreProgress) -> None:
    for block in content.blocks():
        writer.add(block)
        progress.written(writer.size // content.unit_size)
    writer.end()
    if not writer.size == writer.file_size == content.size:
        raise DatabaseUnreachable("the copy of the version is not as long as the version")


@contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _file_error(error) from error


def _file_error(error: OSError) -> DatabaseFull | DatabaseUnreachable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DatabaseFull("no room is left where the database is to be made")
    return DatabaseUnreachable(f"the database's folder cannot be written: {error.strerror}")
