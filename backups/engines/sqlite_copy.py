"""A version's content as a file of our own, which no other process has open."""

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from backups.engines.interface import Content
from backups.engines.sqlite_check import RestoreProgress, content_check
from backups.engines.sqlite_connection import Connection, opened, sqlite_errors_translated
from backups.errors import DatabaseFull, DatabaseUnreachable

_FLUSH_BYTES = 1 << 25


@contextmanager
def checked_copy(
    content: Content,
    folder: Path | None,
    progress: RestoreProgress,
    *,
    prefix: str,
    known: Iterable[bytes] = (),
) -> Iterator[Path]:
    """The same as `content_copy`, once SQLite has found the file's structure whole."""
    with content_copy(content, folder, progress, prefix=prefix, known=known) as path:
        if content.units:
            with opened_copy(path) as connection:
                content_check(connection, content.facts, progress.tick)
        yield path


@contextmanager
def content_copy(
    content: Content,
    folder: Path | None,
    progress: RestoreProgress,
    *,
    prefix: str,
    known: Iterable[bytes] = (),
) -> Iterator[Path]:
    """A file in `folder` (or the system's) that holds `content`, durable.

    For `known` see `Content.blocks`. The file is removed at the end; link it elsewhere to keep
    it. Raises SourceError, StorageError.
    """
    path: str | None = None
    try:
        try:
            descriptor, path = tempfile.mkstemp(dir=folder, prefix=prefix)  # mode 0600
            with open(descriptor, "wb", buffering=0) as file:
                _write(file.fileno(), content, known, progress)
        except OSError as error:
            raise _file_error(error) from error
        yield Path(path)
    finally:
        if path is not None:
            with suppress(OSError):
                os.unlink(path)


@contextmanager
def opened_copy(path: Path) -> Iterator[Connection]:
    """A connection to a copy that is not empty. Raises SourceError."""
    # Immutable, so that SQLite leaves no -wal and -shm beside it.
    with (
        opened(path, lock_wait=0, immutable=True) as connection,
        sqlite_errors_translated(),
    ):
        yield connection


def _write(
    descriptor: int, content: Content, known: Iterable[bytes], progress: RestoreProgress
) -> None:
    written = flushed = 0
    with ThreadPoolExecutor(1, thread_name_prefix="flush") as flusher:
        flush: Future[None] | None = None
        for block in content.blocks(known):
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            written += len(block)
            progress.written(written // content.unit_size)
            # Bring it to the disk while the rest is put together. A failure is told once only.
            if written - flushed >= _FLUSH_BYTES and (flush is None or flush.done()):
                if flush is not None:
                    flush.result()
                flush, flushed = flusher.submit(os.fdatasync, descriptor), written
        if flush is not None:
            flush.result()
    if written != os.fstat(descriptor).st_size or written != content.size:
        raise DatabaseUnreachable("the copy of the version is not as long as the version")
    os.fsync(descriptor)


def _file_error(error: OSError) -> DatabaseFull | DatabaseUnreachable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DatabaseFull("no room is left where the database is to be made")
    return DatabaseUnreachable(f"the database's folder cannot be written: {error.strerror}")
