"""Locks of ours on a database's files, beside SQLite's.

SQLite locks by process (POSIX locks, which go when the process closes any descriptor of the file).
These are locks of one descriptor (`F_OFD_SETLK`): they go with it, are in the way of all others'
locks as SQLite's are, those of this process among them, and taking one away takes none of SQLite's.
"""

import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backups.engines.sqlite_file import descriptors_of
from backups.errors import DatabaseBusy, DatabaseUnreachable

_POLL = 0.001
# See PENDING_BYTE, SHARED_FIRST and SHARED_SIZE in SQLite's os.h.
_SHARED_FIRST, _SHARED_SIZE = (1 << 30) + 2, 510
# Where the locks of a -shm file begin, and how many there are; see UNIX_SHM_BASE in os_unix.c.
_SHM_LOCKS, _SHM_LOCKS_SIZE = 120, 9
_HEADER_SIZE = 100
_FILE_FORMAT = slice(18, 20)


@contextmanager
def journal_kept(path: Path, lock_wait: float) -> Iterator[bool]:
    """While this lasts nobody removes the -wal and -shm of a database that this process has open,
    or changes its journal mode. Tells whether it is in WAL mode.

    The last program that closes a database in WAL mode removes these files, for which it needs all
    others' locks on the database gone. So a lock like those of all readers is put on it, through
    the descriptor by which SQLite has it open. In a rollback-journal mode writers wait for it.
    `lock_wait` is in seconds. Raises DatabaseBusy, DatabaseUnreachable.
    """
    try:
        descriptors = descriptors_of(os.lstat(path))
    except OSError as error:
        raise DatabaseUnreachable(f"the database cannot be reached: {error.strerror}") from error
    if not descriptors:
        raise DatabaseBusy("the database was replaced while it was opened; try again")
    descriptor = descriptors[-1]
    _lock_shared(descriptor, lock_wait)
    try:
        yield os.pread(descriptor, _HEADER_SIZE, 0)[_FILE_FORMAT] == b"\2\2"
    finally:
        _set_lock(descriptor, fcntl.F_UNLCK, _SHARED_FIRST, _SHARED_SIZE)


def lock_all_of_shm(descriptor: int) -> None:
    """Lock a -shm file, which all who have it open lock in part. Raises BlockingIOError when
    anybody has, OSError."""
    _set_lock(descriptor, fcntl.F_WRLCK, _SHM_LOCKS, _SHM_LOCKS_SIZE)


def _lock_shared(descriptor: int, lock_wait: float) -> None:
    deadline = time.monotonic() + lock_wait
    while True:
        try:
            return _set_lock(descriptor, fcntl.F_RDLCK, _SHARED_FIRST, _SHARED_SIZE)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise DatabaseBusy("the database is locked by another process") from error
        except OSError as error:
            raise DatabaseUnreachable(f"the database cannot be locked: {error.strerror}") from error
        time.sleep(_POLL)


def _set_lock(descriptor: int, kind: int, start: int, length: int) -> None:
    """Raises BlockingIOError when another holds it, OSError."""
    # struct flock: type, whence, start, length, process.
    wanted = struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0)
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wanted)
