"""A version back into a live SQLite database, while other processes have it open.

Only pages that differ are written, in one transaction; see `sqlite_pages` for the order. The
schema cookie ends above the live and the version's, or connections that know the old schema
would read and write the pages of other tables.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from backups.engines.blocks import cut
from backups.engines.fence import fenced
from backups.engines.interface import Bytes, Content, Progress, Snapshot
from backups.engines.sqlite_connection import (
    BUSY,
    CORRUPT,
    GENERAL_ERROR,
    LOCKED,
    NOT_A_DATABASE,
    READ_ONLY,
    Connection,
    SqliteError,
    lenient,
    own_words,
    read_schema,
    result_code,
    sqlite_errors_translated,
)
from backups.engines.sqlite_file import FilePages, file_pages, seen_at
from backups.engines.sqlite_header import Header
from backups.engines.sqlite_live import opened_to_write, place_journal
from backups.engines.sqlite_mark import CookieMark
from backups.engines.sqlite_pages import LivePages, live_header
from backups.engines.sqlite_place import Admit
from backups.engines.sqlite_progress import RestoreProgress
from backups.engines.sqlite_safety import LiveUnreadable, live_snapshot
from backups.errors import DatabaseBusy, DatabaseUnreachable, EncodingDiffers, NotADatabase
from backups.facts import findings_of

logger = logging.getLogger(__name__)


class LayoutDiffers(Exception):
    """The version's pages have another size than the live ones, or reserve other bytes."""


class _CantCut(Exception):
    """SQLite can't read the version's schema, and so can't be told to shorten the file."""


def restore_in_place(
    path: Path,
    content: Content,
    *,
    lock_wait: float,
    admit: Admit,
    keep: Callable[[Snapshot], None] | None,
    before_commit: Callable[[str], None],
    progress: Progress,
) -> None:
    """See `Engine.restore`. Waits up to `lock_wait` seconds for other writers.

    Readers in WAL mode go on with the old content until the commit; in the other modes they
    wait. Raises SourceError and what `content` raises, or LayoutDiffers before anything was kept
    or written, with nothing changed.
    """
    steps = RestoreProgress(progress, content.units)
    version = first_page(content)
    live_facts: dict[str, Any] | None = None
    cuts = not findings_of(content.facts).damage
    seen = seen_at(path)
    with (
        opened_to_write(path, lock_wait=lock_wait, admit=admit) as (connection, beside),
        sqlite_errors_translated(),
    ):
        while True:
            try:
                with _one_transaction(connection, content.unit_size, path.parent):
                    place_journal(connection, beside)
                    live = live_header(connection)
                    check_encoding(version, live)
                    if version and version.layout != live.layout:
                        raise LayoutDiffers
                    file = file_pages(connection, path, seen)
                    if keep is not None:
                        keep(live_snapshot(connection, file, known=live_facts))
                    _check_held(connection)
                    # SQLite makes the journal, by its name, at the first write.
                    fenced(path.parent, partial(_write_same, connection, live.page))
                    restored = _Restored(connection, content, version, file, steps)
                    restored.write_different()
                    restored.finish(cuts=cuts)
                    steps.done()
                    _check_held(connection)
                    before_commit(str(CookieMark(restored.cookie)))
                break
            except LiveUnreadable as unreadable:
                live_facts = unreadable.facts
            except _CantCut:
                cuts = False
        # Only spares the next writer some work; readers may hold it up.
        with suppress(*SqliteError):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def first_page(content: Content) -> Header | None:
    """The version's first page; None for that of a file of no bytes. Raises NotADatabase."""
    if not content.units:
        return None
    return Header(bytes(next(content.blocks())[: content.unit_size]))


def check_encoding(version: Header | None, live: Header) -> None:
    """Raise EncodingDiffers when open connections could not follow to the version."""
    if version and live.encoding and version.encoding not in (0, live.encoding):
        raise EncodingDiffers(
            "the version and the live database store text in different encodings, which"
            " programs that have it open cannot follow; nothing was changed"
        )


@contextmanager
def _one_transaction(connection: Connection, page_size: int, folder: Path) -> Iterator[None]:
    # Takes effect only where there is no page yet.
    connection.execute(f"PRAGMA page_size = {page_size}")
    # In WAL mode the same as IMMEDIATE. In the others readers must be out from the start:
    # else each page that does not fit into the cache waits for them again.
    lenient(connection, yes=True)
    try:
        fenced(folder, partial(_begin, connection))
    except SqliteError as error:
        if result_code(error) in (NOT_A_DATABASE, GENERAL_ERROR):
            raise NotADatabase(
                f"SQLite can't open what stands at the database's address ({own_words(error)}), so"
                " nothing can be restored over it, and nothing was changed; if it is moved away, a"
                " restore makes the database anew"
            ) from error
        if result_code(error) not in (BUSY, LOCKED):
            raise
        raise DatabaseBusy(
            "the database is locked by another process; nothing was changed"
        ) from error
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(*SqliteError):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def _begin(connection: Connection) -> None:
    read_schema(connection)
    connection.execute("BEGIN EXCLUSIVE")


def _write_same(connection: Connection, page: bytes) -> None:
    connection.execute("UPDATE sqlite_dbpage SET data = ? WHERE pgno = 1", (page,))


def _check_held(connection: Connection) -> None:
    """Raise DatabaseUnreachable if SQLite has ended the transaction, as it does after some errors
    of the disk: each further write would be a commit of its own."""
    if not connection.in_transaction:
        raise DatabaseUnreachable("the disk of the database failed; nothing was changed")


class _Restored:
    """The version's content on its way into the live pages."""

    def __init__(
        self,
        connection: Connection,
        content: Content,
        version: Header | None,
        file: FilePages | None,
        steps: RestoreProgress,
    ) -> None:
        self._connection = connection
        self._content = content
        self._file = file
        self._steps = steps
        self._live = LivePages(connection)
        # A live database keeps at least one page.
        self._version = version or Header(self._live.header.emptied())
        self._pages = max(1, content.units)
        self.cookie = self._version.cookie_after(self._live.header)

    def write_different(self) -> None:
        """Write the pages that differ, the first one last with the live cookie; read back what
        was written."""
        live = self._live
        handed: deque[Bytes] = deque()  # what the content was given and has not come to yet
        seen = 0
        size = self._content.block_size
        # The file has what SQLite has until something is written, and each page is read before.
        source = self._file.chunks(size) if self._file else live.blocks(size)
        with closing(source) as pieces:
            for block in self._content.blocks(_noted(cut(pieces, size), handed)):
                held = handed.popleft() if handed else b""
                if block is not held:
                    live.write_block(block, held, first_number=seen + 1)
                seen += len(block) // live.page_size
                self._steps.written(seen)
        if seen != self._content.units:
            raise DatabaseUnreachable("the version's content ends before its last page")
        live.place_first(self._first(self._live.header.cookie))
        live.check_written(self._pages, self._steps.reread)

    def finish(self, *, cuts: bool) -> None:
        """Give the first page its final cookie and, with `cuts`, drop the pages after the last.

        With that cookie SQLite reads the version's schema before it does anything else, and
        refuses to write on when it comes upon damage: _CantCut. The file keeps its length then;
        SQLite goes by the page count in the first page.
        """
        self._live.replace_first(self._first(self.cookie))
        if not cuts:
            return
        try:
            self._live.cut(self._pages)
        except SqliteError as error:
            if result_code(error) not in (CORRUPT, READ_ONLY):
                raise
            logger.warning("The file keeps its length, as the version's schema is damaged")
            raise _CantCut from error

    def _first(self, cookie: int) -> bytes:
        return self._version.placed(self._live.header, pages=self._pages, cookie=cookie)


def _noted(pieces: Iterable[Bytes], handed: deque[Bytes]) -> Iterator[Bytes]:
    for piece in pieces:
        handed.append(piece)
        yield piece
