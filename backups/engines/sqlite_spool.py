"""A copy of a database's pages that is gone when the process is."""

import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path

from backups.engines.sqlite_connection import (
    Connection,
    lenient,
    opened,
    sqlite_errors_translated,
)
from backups.errors import DatabaseFull, DatabaseUnreachable

READ_SIZE = 1 << 18
_PREFIX = "savepoint-look-"
# What file systems and kernels without nameless files answer.
_NOT_NAMELESS = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)


@contextmanager
def spooled(scratch: Path | None, chunks: Iterator[bytes]) -> Iterator["Spool"]:
    """A file in `scratch`, or the system's folder, that holds these bytes.

    Nameless where the file system can do that, so that a killed process leaves no copy of
    anybody's data behind. Raises DatabaseFull, DatabaseUnreachable, and what `chunks` raise.
    """
    with ExitStack() as stack:
        try:
            folder = scratch or Path(tempfile.gettempdir())
            path: Path | None = None
            try:
                descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
            except OSError as error:
                if error.errno not in _NOT_NAMELESS:
                    raise
                descriptor, name = tempfile.mkstemp(dir=folder, prefix=_PREFIX)
                path = Path(name)
                stack.callback(os.unlink, path)
            file = stack.enter_context(open(descriptor, "r+b", buffering=0))
        except OSError as error:
            raise _scratch_error(error) from error
        spool = Spool(file, folder, path)
        spool.fill(chunks)
        yield spool


class Spool:
    """See `spooled`. `path` is None for a nameless file."""

    def __init__(self, file: FileIO, folder: Path, path: Path | None) -> None:
        self._file = file
        self._folder = folder
        self._path = path

    def fill(self, chunks: Iterator[bytes]) -> None:
        """Write these bytes."""
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                try:
                    rest = rest[os.write(self._file.fileno(), rest) :]
                except OSError as error:
                    raise _scratch_error(error) from error

    def chunks(self, size: int) -> Iterator[bytes]:
        """The bytes from the start, some multiple of `size` at a time."""
        try:
            self._file.seek(0)
            while chunk := self._file.read(max(size, READ_SIZE // size * size)):
                yield chunk
        except OSError as error:
            raise _scratch_error(error) from error

    @contextmanager
    def opened(self) -> Iterator[Connection]:
        """A connection to the copy, which is lenient: see there."""
        with self._named() as path, opened(path, lock_wait=0, immutable=True) as connection:
            # SQLite opens the file when it is first read; it needs the name no longer then.
            with sqlite_errors_translated():
                lenient(connection, yes=True)
                connection.execute("SELECT 1 FROM sqlite_dbpage WHERE pgno = 1").fetchall()
            if self._path is None:
                os.unlink(path)
            yield connection

    @contextmanager
    def _named(self) -> Iterator[Path]:
        if self._path is not None:
            yield self._path
            return
        path = self._folder / f"{_PREFIX}{secrets.token_hex(8)}"
        folder = os.open(self._folder, os.O_DIRECTORY)
        try:
            # The folder's descriptor is of no use to the call but makes it one that follows links.
            os.link(f"/proc/self/fd/{self._file.fileno()}", path, src_dir_fd=folder)
        except OSError as error:
            raise _scratch_error(error) from error
        finally:
            os.close(folder)
        try:
            yield path
        finally:
            with suppress(FileNotFoundError):
                os.unlink(path)


def _scratch_error(error: OSError) -> DatabaseFull | DatabaseUnreachable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DatabaseFull("no room is left in the scratch folder for a copy of the database")
    return DatabaseUnreachable(f"the scratch folder cannot be used: {error.strerror}")
