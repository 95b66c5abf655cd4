"""The place of a database that others may exchange for another file at any moment.

A name is resolved once, and never through a symbolic link; from then on the folder goes by a
descriptor of it, so that its name may stand for what it likes. Which file is used is decided by
what SQLite has opened: before it reads, its own descriptor must be of the file that was looked at
in that folder.
"""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from backups.engines.fence import fenced
from backups.engines.sqlite_connection import Connection, sqlite_errors_translated
from backups.engines.sqlite_file import descriptors_of
from backups.errors import DatabaseBusy, DatabaseMissing, DatabaseUnreachable, NotADatabase

#: Told of the file that SQLite has opened; raises SourceError if it must not be used.
Admit = Callable[[os.stat_result], None]

_DESCRIPTORS = Path("/proc/self/fd")
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MISSING = "there is no database at the project's address"
_LINK = "a symbolic link has taken the place of a folder on the way to the database"
_EXCHANGED = "the database was replaced while it was opened; try again"
# What one thread finds newly opened must not be another's.
_opening = threading.Lock()


@contextmanager
def pinned(path: Path) -> Iterator[Path]:
    """A path to the same, while this lasts, that leads through a descriptor of the folder.

    `path` is absolute. Raises DatabaseMissing if there is no such folder, DatabaseUnreachable, also
    for a symbolic link on the way.
    """
    folder = _opened_folder(path.parent)
    try:
        yield _DESCRIPTORS / str(folder) / path.name
    finally:
        os.close(folder)


def _opened_folder(folder: Path) -> int:
    descriptor = os.open("/", _FOLDER)
    try:
        for name in folder.parts[1:]:
            try:
                following = os.open(name, _FOLDER, dir_fd=descriptor)
            except NotADirectoryError:
                if stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                    raise DatabaseUnreachable(_LINK) from None
                raise
            os.close(descriptor)
            descriptor = following
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise DatabaseMissing(_MISSING) from error
        if isinstance(error, OSError):
            raise DatabaseUnreachable(
                f"the database cannot be reached: {error.strerror}"
            ) from error
        raise
    return descriptor


def connected(path: Path, admit: Admit, connect: Callable[[], Connection]) -> Connection:
    """What `connect` gives for the database at `path`, if SQLite has opened the very file that
    stands there, and `admit` has nothing against it. Nothing is read from it yet.

    Raises SourceError.
    """
    try:
        wanted = os.lstat(path)
    except FileNotFoundError as error:
        raise DatabaseMissing(_MISSING) from error
    except OSError as error:
        raise DatabaseUnreachable(f"the database cannot be reached: {error.strerror}") from error
    if not stat.S_ISREG(wanted.st_mode):
        raise NotADatabase("what stands at the database's address is not a file")
    with _opening:
        before = set(descriptors_of(wanted))
        connection = fenced(path.parent, partial(_translated, connect))
        new = set(descriptors_of(wanted)) - before
    try:
        if not new:
            raise DatabaseBusy(_EXCHANGED)
        admit(os.fstat(min(new)))
    except BaseException:
        connection.close()
        raise
    return connection


def _translated(connect: Callable[[], Connection]) -> Connection:
    with sqlite_errors_translated():
        return connect()
