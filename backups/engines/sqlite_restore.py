"""A version back into a live SQLite database, while other processes have it open.

Only pages that differ are written, through `sqlite_dbpage`, in one transaction. SQLite knows
nothing of what such writes mean, so the order below matters:

- The first page is written last, and at first with the live schema cookie: a changed cookie
  makes this connection read the schema, which is not whole before the last page is in place.
- SQLite keeps the page count and the parsed first page in memory for the transaction. A
  savepoint that writes the first page and is rolled back makes it read both anew; a released
  one the count alone. Without this, pages added are not seen by the checks.
- Truncation is asked for by `INSERT (NULL, n + 1)`, happens at the commit, and is forgotten at
  the next page write; SQLite skips it unless the count in memory is still above n.
- The cookie ends above the live and the version's, or connections that know the old schema
  would read and write the pages of other tables.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import chain, repeat
from pathlib import Path

from blake3 import blake3

from backups.engines.blocks import recut
from backups.engines.interface import Content, Progress
from backups.engines.sqlite_check import RestoreProgress, quick_check
from backups.engines.sqlite_connection import (
    Connection,
    SqliteError,
    opened,
    sqlite_errors_translated,
    value,
)
from backups.engines.sqlite_copy import checked_copy
from backups.engines.sqlite_header import Header, lock_page
from backups.engines.sqlite_mark import CookieMark
from backups.engines.sqlite_snapshot import READ_SIZE, database_chunks
from backups.errors import DatabaseBusy, DatabaseDamaged, EncodingDiffers, PageSizeDiffers

COMPARED_SIZE = 1 << 16


def restore_in_place(
    path: Path,
    content: Content,
    *,
    lock_wait: float,
    scratch: Path | None,
    before_commit: Callable[[str], None],
    progress: Progress,
) -> None:
    """See `Engine.restore`. Waits up to `lock_wait` seconds for other writers.

    Readers in WAL mode go on with the old content until the commit; in the other modes they
    wait. Raises SourceError and what `content` raises, with nothing changed.
    """
    steps = RestoreProgress(progress, content.units)
    with opened(path, lock_wait=lock_wait) as connection:
        with _one_transaction(connection, content.unit_size):
            pages = _LivePages(connection, content, steps)
            pages.write_different()
            pages.check_written()
            pages.check_structure(scratch)
            pages.cut()
            steps.done()
            before_commit(str(CookieMark(pages.cookie)))
        # Only spares the next writer some work; readers may hold it up.
        with suppress(SqliteError):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def live_cookie(path: Path, *, lock_wait: float) -> int:
    """The schema cookie of the database as it is. Raises SourceError."""
    with opened(path, lock_wait=lock_wait) as connection, sqlite_errors_translated():
        query = "SELECT data FROM sqlite_dbpage WHERE pgno = 1"
        page = connection.execute(query).fetchone()
        return Header(page[0]).cookie if page else 0


@contextmanager
def _one_transaction(connection: Connection, page_size: int) -> Iterator[None]:
    with sqlite_errors_translated():
        # Takes effect only where there is no page yet.
        connection.execute(f"PRAGMA page_size = {page_size}")
        # In WAL mode the same as IMMEDIATE. In the others readers must be out from the start:
        # else each page that does not fit into the cache waits for them again.
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except SqliteError as error:
            if "is locked" not in str(error):
                raise
            raise DatabaseBusy(
                "the database is locked by another process; nothing was changed"
            ) from error
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            with suppress(SqliteError):  # SQLite may have rolled back by itself
                connection.execute("ROLLBACK")
            raise


class _LivePages:
    """The live database's pages inside the transaction."""

    def __init__(self, connection: Connection, content: Content, steps: RestoreProgress) -> None:
        self._connection = connection
        self._content = content
        self._steps = steps
        self._page_size: int = value(connection, "PRAGMA page_size")
        self._live_pages: int = value(connection, "PRAGMA page_count")
        self._block_size = max(1, COMPARED_SIZE // self._page_size) * self._page_size
        self._live = Header(self._read(1))
        self._pages = max(1, content.units)
        self._version = self._live
        self._first = self._live.page
        self._meant = blake3()
        if value(connection, "PRAGMA auto_vacuum") == 1:
            # Or the commit would move pages about by the live file's pointer maps.
            connection.execute("PRAGMA auto_vacuum = 2")
        # Pages that SQLite has parsed must not stay in its cache when their bytes are replaced.
        connection.execute("PRAGMA shrink_memory")

    @property
    def cookie(self) -> int:
        """The schema cookie that the database has after the commit."""
        return Header(self._first).cookie

    def write_different(self) -> None:
        """Write the pages that differ, the first one last, with the live cookie."""
        blocks = self._version_blocks()
        first_block = next(blocks)
        self._version = Header(first_block[: self._page_size])
        self._check_fit()
        cookie = self._version.cookie_after(self._live)
        self._first = self._version.placed(self._live, pages=self._pages, cookie=cookie)
        first = self._version.placed(self._live, pages=self._pages, cookie=self._live.cookie)
        first_block = first + first_block[self._page_size :]

        seen = 0
        with closing(
            database_chunks(self._connection, self._page_size, self._block_size)
        ) as live_blocks:
            for block, live in zip(
                chain([first_block], blocks), chain(live_blocks, repeat(b"")), strict=False
            ):
                self._meant.update(block)
                if block != live:
                    self._write_block(block, live, first_number=seen + 1)
                seen += len(block) // self._page_size
                self._steps.written(seen)
        if seen != self._pages:
            raise DatabaseDamaged("the version's content ends before its last page")
        self._write(1, first)
        with self._savepoint(undone=True):
            self._write(1, first)

    def check_written(self) -> None:
        """Read all pages through the transaction and compare them with what was meant."""
        found = blake3()
        number = 0
        for chunk in database_chunks(self._connection, self._page_size, READ_SIZE):
            found.update(chunk)
            number += len(chunk) // self._page_size
            self._steps.reread(min(number, self._pages))
        if number != self._pages or found.digest() != self._meant.digest():
            raise DatabaseDamaged("the pages read back are not those written; nothing was changed")

    def check_structure(self, scratch: Path | None) -> None:
        """Let SQLite check the new content; leaves the first page with its final cookie."""
        live, version = self._live, self._version
        if (live.encoding, live.auto_vacuum) == (version.encoding, version.auto_vacuum):
            self._write(1, self._first)
            quick_check(self._connection, self._steps.tick)
            return
        # SQLite takes these two from the file between transactions only, so inside this one it
        # would check the pages by the live rules. They are the version's, so a copy will do.
        with checked_copy(self._content, scratch, self._steps, prefix="savepoint-check-"):
            self._write(1, self._first)

    def cut(self) -> None:
        """Drop the pages after the version's last."""
        if self._pages >= self._live_pages:
            return
        counted = Header(self._first).placed(
            self._live, pages=self._live_pages, cookie=Header(self._first).cookie
        )
        self._write(1, counted)
        with self._savepoint(undone=False):
            pass
        self._write(1, self._first)
        self._connection.execute(
            "INSERT INTO sqlite_dbpage(data, pgno) VALUES (NULL, ?)", (self._pages + 1,)
        )
        if self._read(1) != self._first:
            raise DatabaseDamaged("the first page is not the one written; nothing was changed")

    def _version_blocks(self) -> Iterator[bytes]:
        found = False
        for block in recut(self._content.blocks(), self._block_size):
            found = True
            yield block
        if not found:  # a file of no bytes; a live database keeps at least one page
            yield self._live.emptied()

    def _check_fit(self) -> None:
        unit_size = self._content.unit_size
        if self._content.units and self._page_size != unit_size:
            raise PageSizeDiffers(
                f"the version has pages of {unit_size} bytes, the live database of"
                f" {self._page_size}; nothing was changed"
            )
        if self._version.reserved != self._live.reserved:
            raise PageSizeDiffers(
                f"the version reserves {self._version.reserved} bytes a page, the live database"
                f" {self._live.reserved}; nothing was changed"
            )
        if self._live.encoding and self._version.encoding not in (0, self._live.encoding):
            raise EncodingDiffers(
                "the version and the live database store text in different encodings, which"
                " programs that have it open cannot follow; nothing was changed"
            )

    def _write_block(self, block: bytes, live: bytes, *, first_number: int) -> None:
        size = self._page_size
        for number, start in enumerate(range(0, len(block), size), first_number):
            page = block[start : start + size]
            if number in (1, lock_page(size)) or page == live[start : start + size]:
                continue
            self._write(number, page)

    def _read(self, number: int) -> bytes:
        query = "SELECT data FROM sqlite_dbpage WHERE pgno = ?"
        page: bytes = self._connection.execute(query, (number,)).fetchone()[0]
        return page

    def _write(self, number: int, page: bytes) -> None:
        if number <= self._live_pages:
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
