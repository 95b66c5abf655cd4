"""Reading a database in WAL mode past SQLite's locks, while it is provably at rest.

SQLite can't read such a database where it can't make a -wal and -shm file, or must not, unless it
is told that the file never changes (`immutable`). That is as good as a read transaction if nobody
writes to the file meanwhile, and if all commits are in it: if no -wal file with bytes and no
journal lies beside it before, and the file (by device, number, length and times) is the same after.
Commits that go into a -wal file meanwhile are later than the version. See `sqlite_state` for why
that can be told by the times, and when it can't.
"""

import os
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from backups.engines.sqlite_ownership import WAL, Beside
from backups.engines.sqlite_state import SETTLED_SECONDS, is_local
from backups.errors import DatabaseBusy, DatabaseUnreachable

T = TypeVar("T")

_POLL = 0.05


class AtRest:
    """A database that nobody writes to, as it was at one moment."""

    def __init__(self, beside: Beside, *, patience: float, otherwise: str) -> None:
        """Waits until the last write is long enough ago: up to `patience` seconds, at least five.

        Raises DatabaseUnreachable when it is not at rest, or when that can't be told: `otherwise`
        says why it can't be read in another way.
        """
        self._path = path = beside.path
        deadline = time.monotonic() + max(patience, 2 * SETTLED_SECONDS)
        try:
            if not is_local(path):
                raise DatabaseUnreachable(
                    f"{otherwise}; and on this kind of file system it can't be told whether"
                    " anybody writes to it"
                )
            while True:
                # In this order: a commit that is not in the file yet is in one of these.
                self._seen = _told(os.lstat(path))
                wal = beside.found(WAL)
                if (wal is not None and wal.st_size) or beside.is_hot():
                    raise DatabaseUnreachable(
                        f"{otherwise}; and changes wait beside it, which its own programs have to"
                        " bring into it first"
                    )
                if max(self._seen[3:]) <= time.time_ns() - int(SETTLED_SECONDS * 1e9):
                    return
                if time.monotonic() > deadline:
                    raise DatabaseUnreachable(f"{otherwise}; and it is being written")
                time.sleep(_POLL)
        except OSError as error:
            raise DatabaseUnreachable(
                f"the database cannot be reached: {error.strerror}"
            ) from error

    def check(self) -> None:
        """Raise DatabaseBusy if anybody has written to the file since."""
        try:
            same = _told(os.lstat(self._path)) == self._seen
        except OSError:
            same = False
        if not same:
            raise DatabaseBusy("the database was written while it was read; try again")

    def watched(self, chunks: Callable[[int], Iterator[bytes]]) -> Callable[[int], Iterator[bytes]]:
        """The same chunks of the file; `check`s at their end."""

        def checked(size: int) -> Iterator[bytes]:
            yield from chunks(size)
            self.check()

        return checked

    def trusted(self, find: Callable[[], T]) -> Callable[[], T]:
        """The same that is found out by reading the file; `check`s after it."""

        def checked() -> T:
            found = find()
            self.check()
            return found

        return checked


def _told(found: os.stat_result) -> tuple[int, int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
