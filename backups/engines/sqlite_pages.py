"""The pages of a live SQLite database, written through `sqlite_dbpage` in one transaction.

SQLite knows nothing of what such writes mean, so the order matters:

- The first page is written last, and at first with the live schema cookie: a changed cookie
  makes this connection read the schema, which is not whole before the last page is in place.
- SQLite keeps the page count and the parsed first page in memory for the transaction. A
  savepoint that writes the first page and is rolled back makes it read both anew; a released
  one the count alone. Without this, pages added are not seen by the checks.
- Truncation is asked for by `INSERT (NULL, n + 1)`, happens at the commit, and is forgotten at
  the next page write; SQLite skips it unless the count in memory is still above n.
"""

from array import array
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from blake3 import blake3

from backups.engines.fence import fenced
from backups.engines.interface import Bytes
from backups.engines.sqlite_connection import (
    Connection,
    lenient,
    page_of,
    sqlite_errors_translated,
    value,
)
from backups.engines.sqlite_header import Header, lock_page
from backups.engines.sqlite_live import opened_to_read
from backups.engines.sqlite_place import Admit
from backups.engines.sqlite_snapshot import database_chunks
from backups.engines.sqlite_spool import READ_SIZE
from backups.errors import DatabaseUnreachable

# To ask for a page by its number takes so many times as long as to read it along with all others.
_BY_NUMBER_COST = 8


def live_header(connection: Connection) -> Header:
    """The first page of the database as it is. Raises NotADatabase for an empty file too."""
    return Header(page_of(connection, 1) or b"")


def header_of(path: Path, *, lock_wait: float, admit: Admit) -> Header | None:
    """The first page of the database at `path`, if it has one. `admit`: see
    `connected`. Raises SourceError."""
    with (
        opened_to_read(path, lock_wait=lock_wait, admit=admit) as (connection, rest),
        sqlite_errors_translated(),
    ):
        lenient(connection, yes=True)
        page = fenced(path.parent, lambda: page_of(connection, 1))
        if rest:
            rest.check()
        return Header(page) if page else None


class LivePages:
    """The pages inside a transaction that may write.

    Raises SQLite's own errors, and DatabaseUnreachable when a page is not what was written.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.page_size: int = value(connection, "PRAGMA page_size")
        self.count: int = value(connection, "PRAGMA page_count")
        self.header = live_header(connection)
        self._first = self.header.page
        # What was written, in order: by 4 bytes a page, and a hash of it all.
        self._written = array("I")
        self._meant = blake3()
        if value(connection, "PRAGMA auto_vacuum") == 1:
            # Or the commit would move pages about by the live file's pointer maps.
            connection.execute("PRAGMA auto_vacuum = 2")
        # Pages that SQLite has parsed must not stay in its cache when their bytes are replaced.
        connection.execute("PRAGMA shrink_memory")

    def blocks(self, size: int) -> Generator[bytes, None, None]:
        """All pages as they are, in pieces of `size` bytes: a multiple of the page size."""
        return database_chunks(self._connection, self.page_size, size)

    def write_block(self, block: Bytes, held: Bytes, *, first_number: int) -> None:
        """Write the pages of `block` that differ from `held`, which stands there now; neither
        the first page nor the one that SQLite keeps for its locks. Ascending blocks only."""
        size = self.page_size
        block, held = bytes(block), bytes(held)  # to compare views takes much longer
        for number, start in enumerate(range(0, len(block), size), first_number):
            page = block[start : start + size]
            if number in (1, lock_page(size)) or page == held[start : start + size]:
                continue
            self._write(number, page)
            self._written.append(number)
            self._meant.update(page)

    def place_first(self, page: bytes) -> None:
        """Write the first page when all others are in place, and let SQLite take it in."""
        self._write_first(page)
        with self._savepoint(undone=True):
            self._write_first(page)

    def replace_first(self, page: bytes) -> None:
        """Write the first page again, with another cookie."""
        self._write_first(page)

    def check_written(self, count: int, reread: Callable[[int, int], None]) -> None:
        """Read the pages that were written through the transaction, and compare them.

        `count`: the pages that there must be now. `reread(done, of)` is called on the way. The
        other pages need not be read again: they were compared in this very transaction.
        """
        found = blake3()
        pages = len(self._written)
        for done, page in enumerate(self._written_pages(), 1):
            found.update(page)
            reread(done, pages)
        if (
            value(self._connection, "PRAGMA page_count") != count
            or found.digest() != self._meant.digest()
            or page_of(self._connection, 1) != self._first
        ):
            raise DatabaseUnreachable(
                "the pages read back are not those written; nothing was changed"
            )

    def cut(self, count: int) -> None:
        """Drop the pages after so many; nothing may be written afterwards."""
        if count >= self.count:
            return
        first, header = self._first, Header(self._first)
        self._write_first(header.placed(self.header, pages=self.count, cookie=header.cookie))
        with self._savepoint(undone=False):
            pass
        self._write_first(first)
        self._connection.execute(
            "INSERT INTO sqlite_dbpage(data, pgno) VALUES (NULL, ?)", (count + 1,)
        )
        if page_of(self._connection, 1) != first:
            raise DatabaseUnreachable("the first page is not the one written; nothing was changed")

    def _written_pages(self) -> Iterator[bytes]:
        if len(self._written) * _BY_NUMBER_COST < self.count:
            for number in self._written:
                yield page_of(self._connection, number) or b""
            return
        wanted = iter(self._written)
        following = next(wanted, 0)
        number = 0
        for chunk in database_chunks(self._connection, self.page_size, READ_SIZE):
            for start in range(0, len(chunk), self.page_size):
                number += 1
                if number == following:
                    yield chunk[start : start + self.page_size]
                    following = next(wanted, 0)

    def _write_first(self, page: bytes) -> None:
        self._write(1, page)
        self._first = page

    def _write(self, number: int, page: bytes) -> None:
        if number <= self.count:
            statement = "UPDATE sqlite_dbpage SET data = ? WHERE pgno = ?"
        else:
            statement = "INSERT INTO sqlite_dbpage(data, pgno) VALUES (?, ?)"
        self._connection.execute(statement, (page, number))

    @contextmanager
    def _savepoint(self, *, undone: bool) -> Iterator[None]:
        self._connection.execute("SAVEPOINT restoring")
        yield
        if undone:
            self._connection.execute("ROLLBACK TO restoring")
        self._connection.execute("RELEASE restoring")
