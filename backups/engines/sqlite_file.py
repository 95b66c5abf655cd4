"""The pages of a database straight out of its file, while a read transaction keeps them still.

Much faster than asking SQLite for each, and sound: what is read is what SQLite itself would give.

- In a rollback-journal mode nobody writes to the file while anybody holds the read lock.
- In WAL mode SQLite gives a page from the newest frame of the WAL that the transaction can see,
  and from the file if there is none. A checkpoint writes to the file meanwhile, but only frames
  that all readers can see, and none at all while a reader goes by the file alone. So every page
  that is no frame's stays as it is in the file. All pages that any frame in the -wal file names,
  whether it counts or not, are asked of SQLite; the WAL is looked at after the transaction began,
  and frames that it can see are not written over before it ends.

See "Concurrency" and "Checkpointing" in https://www.sqlite.org/wal.html, and `walCheckpoint` and
`walTryBeginRead` in SQLite's source for the locks.

Both files are read by SQLite's own descriptors: to open another of the database and close it would
drop the locks that this process has on it, and a name may stand for another file by now.
"""

import os
import struct
from bisect import bisect_left
from collections.abc import Callable, Generator
from pathlib import Path

from backups.engines.sqlite_connection import (
    Connection,
    page_of,
    sqlite_errors_translated,
    value,
)
from backups.engines.sqlite_header import lock_page
from backups.errors import DatabaseDamaged, DatabaseUnreachable

STRETCH = 1 << 22
# Newer pages than these are too many to keep in memory: they are asked for when it is their turn.
_NEWER_BYTES = 1 << 24
# To ask for a page by its number takes so many times as long as along with all others.
_ASKING_COSTS = 8
_DESCRIPTORS = Path("/proc/self/fd")
# See "The WAL File Format" in https://www.sqlite.org/fileformat2.html
_WAL_HEADER_SIZE, _FRAME_HEADER_SIZE = 32, 24
_PAGE_NUMBER = struct.Struct(">I")


class FilePages:
    """The pages of one read transaction; of no use after its end."""

    def __init__(
        self,
        connection: Connection,
        descriptor: int,
        page_size: int,
        count: int,
        in_file: int,
        newer: set[int],
    ) -> None:
        """`in_file`: how many pages the file has; `newer`: the numbers of those that are not to be
        taken from it, among them all others. Raises SourceError, DatabaseDamaged for a page that
        is not there."""
        self._connection = connection
        self._descriptor = descriptor
        self._page_size = page_size
        self.count = count
        self._size = count * page_size
        self._file_size = min(count, in_file) * page_size
        self._lock_page = lock_page(page_size)
        self._numbers = sorted(newer | {self._lock_page} if self._lock_page <= count else newer)
        self._held: dict[int, bytes] | None = None
        # Called when all is read, to wait for another thread that uses the connection: SQLite holds
        # a lock of the connection all through a statement, even to be asked for its transaction.
        self.before_asking: Callable[[], None] = lambda: None
        if len(self._numbers) * page_size <= _NEWER_BYTES:
            self._held = {number: self._newer(number) for number in self._numbers}

    @property
    def asks_no_more(self) -> bool:
        """Whether the connection is not needed to read the pages, only its transaction."""
        return self._held is not None

    def chunks(self, size: int) -> Generator[bytes, None, None]:
        """All pages in order, some whole pages at a time: a multiple of `size` bytes, if that is
        one of the page size, but for the last.

        The lock page reads as zeros. Raises DatabaseUnreachable, also at the end, when what was
        read need not be of one moment, or another program has cut the file off; and SQLite's
        errors, translated.
        """
        unit = self._page_size if size % self._page_size else size
        at_once = max(unit, STRETCH // unit * unit)
        for start in range(0, self._size, at_once):
            yield self._patched(self._read(start, min(at_once, self._size - start)), start)
        self.before_asking()
        # An error of the disk, in whatever else the connection was asked meanwhile, ends its
        # transaction, and nothing keeps the pages still any more.
        if not self._connection.in_transaction:
            raise DatabaseUnreachable("the disk of the database failed while it was read")

    def _read(self, start: int, length: int) -> bytes:
        wanted = max(0, min(length, self._file_size - start))
        try:
            data = _read_up_to(self._descriptor, wanted, start)
        except OSError as error:
            raise DatabaseUnreachable(
                f"the disk of the database failed to read: {error.strerror}"
            ) from error
        if len(data) < wanted:
            raise DatabaseUnreachable(
                "another program cut the database's file off while it was read"
            )
        return data if wanted == length else data.ljust(length, b"\0")

    def _patched(self, data: bytes, start: int) -> bytes:
        size = self._page_size
        first, end = start // size + 1, (start + len(data)) // size + 1
        places = range(bisect_left(self._numbers, first), bisect_left(self._numbers, end))
        if not places:
            return data
        patched = bytearray(data)
        for place in places:
            number = self._numbers[place]
            page = self._newer(number) if self._held is None else self._held[number]
            patched[(number - first) * size : (number - first + 1) * size] = page
        return bytes(patched)

    def _newer(self, number: int) -> bytes:
        if number == self._lock_page:
            return bytes(self._page_size)
        with sqlite_errors_translated():
            page = page_of(self._connection, number)
        if page is None or len(page) != self._page_size:
            raise DatabaseDamaged("the database ends before its last page")
        return page


def seen_at(path: Path) -> os.stat_result | None:
    """What stands at `path`; None for nothing, or when it can't be told."""
    try:
        return os.lstat(path)
    except OSError:
        return None


def head_of(path: Path, length: int) -> bytes:
    """The first bytes of the file that a connection to `path` has open; none if that can't be
    told for sure."""
    seen = seen_at(path)
    descriptor = _descriptor_of(seen) if seen else None
    return _read_up_to(descriptor, length, 0) if descriptor is not None else b""


def file_pages(
    connection: Connection, path: Path, seen: os.stat_result | None, *, immutable: bool = False
) -> FilePages | None:
    """The pages of the transaction that a connection to `path` is in; None where they have to be
    asked of SQLite.

    The connection must have read, and have written nothing. `seen` is what `seen_at` said before
    it was opened. `immutable`: it looks at no -wal. Raises SourceError, and SQLite's own errors.
    """
    page_size: int = value(connection, "PRAGMA page_size")
    count: int = value(connection, "PRAGMA page_count")
    in_wal = not immutable and value(connection, "PRAGMA journal_mode") == "wal"
    now = seen_at(path)
    if seen is None or now is None or not os.path.samestat(seen, now):
        return None
    try:
        descriptor = _descriptor_of(now)
        if descriptor is None:
            return None
        in_file = os.fstat(descriptor).st_size // page_size
        numbers = _pages_in_wal(path, page_size, count) if in_wal else set()
    except OSError as error:
        raise DatabaseUnreachable(f"the database cannot be read: {error.strerror}") from error
    if numbers is None or not numbers.issuperset(range(in_file + 1, count + 1)):
        return None
    try:
        return FilePages(connection, descriptor, page_size, count, in_file, numbers)
    except DatabaseDamaged:
        return None  # SQLite shall say what it makes of it


def file_without_wal(
    connection: Connection, path: Path, seen: os.stat_result | None, page_size: int
) -> FilePages:
    """The pages of a database that SQLite can lock and not read, as it can't read the schema.

    Raises DatabaseUnreachable where the file alone doesn't tell them.
    """
    now, wal = seen_at(path), seen_at(path.with_name(path.name + "-wal"))
    descriptor = _descriptor_of(now) if seen and now and os.path.samestat(seen, now) else None
    if descriptor is None or (wal and wal.st_size):
        raise DatabaseUnreachable(
            "SQLite can't read the schema, and so not what is only in the -wal file; open the"
            " database with one of its own programs once, which brings that into it"
        )
    in_file = os.fstat(descriptor).st_size // page_size
    return FilePages(connection, descriptor, page_size, in_file, in_file, set())


def _descriptor_of(wanted: os.stat_result) -> int | None:
    """The one by which SQLite has a file open; None where that can't be told for sure.

    The connection's is always among those found. So if there is one, it is that.
    """
    found = descriptors_of(wanted)
    return found[0] if len(found) == 1 else None


def descriptors_of(wanted: os.stat_result) -> list[int]:
    """Those by which this process has a file open; none where that can't be told."""
    if not _DESCRIPTORS.is_dir():
        return []
    found = []
    for name in os.listdir(_DESCRIPTORS):
        try:
            if os.path.samestat(os.fstat(int(name)), wanted):
                found.append(int(name))
        except OSError:
            continue  # closed meanwhile, so it was another's
    return found


def _pages_in_wal(path: Path, page_size: int, count: int) -> set[int] | None:
    """The numbers, up to `count`, of all pages that the -wal file has frames of; None if they are
    too many to be asked for, or if the file that SQLite has open is not at its place."""
    wal = seen_at(path.with_name(path.name + "-wal"))
    descriptor = _descriptor_of(wal) if wal else None
    if descriptor is None:
        return None
    numbers: set[int] = set()
    step = _FRAME_HEADER_SIZE + page_size
    at_once = max(1, STRETCH // step) * step
    at = _WAL_HEADER_SIZE
    while frames := _read_up_to(descriptor, at_once, at):
        for start in range(0, len(frames) - _PAGE_NUMBER.size + 1, step):
            (number,) = _PAGE_NUMBER.unpack_from(frames, start)
            if 0 < number <= count:
                numbers.add(number)
        if len(numbers) * page_size > _NEWER_BYTES and len(numbers) * _ASKING_COSTS > count:
            return None
        at += at_once
    return numbers


def _read_up_to(descriptor: int, length: int, start: int) -> bytes:
    """So many bytes of a file, or all up to its end."""
    data = os.pread(descriptor, length, start)
    while len(data) < length and (
        more := os.pread(descriptor, length - len(data), start + len(data))
    ):
        data += more
    return data
