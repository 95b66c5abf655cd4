"""All pages of a SQLite database as they were at one moment, by a read transaction of SQLite's."""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

from backups.engines.blocks import recut
from backups.engines.fence import fenced
from backups.engines.sqlite_beside import check_opened_beside
from backups.engines.sqlite_check import Checked
from backups.engines.sqlite_connection import (
    CORRUPT,
    GENERAL_ERROR,
    NOT_A_DATABASE,
    SQLITE_VERSION,
    Connection,
    SqliteError,
    lenient,
    page_of,
    result_code,
    source_error,
    sqlite_errors_translated,
    value,
)
from backups.engines.sqlite_facts import examined_facts
from backups.engines.sqlite_file import file_pages, file_without_wal, head_of, seen_at
from backups.engines.sqlite_header import perhaps_encrypted
from backups.engines.sqlite_live import opened_to_read
from backups.engines.sqlite_look import Look
from backups.engines.sqlite_place import Admit
from backups.engines.sqlite_spool import READ_SIZE, spooled
from backups.errors import DatabaseDamaged, NotADatabase, SourceError
from backups.facts import DAMAGE, STRUCTURE_CHECKED

_HEAD = 1 << 16
PERHAPS_ENCRYPTED = (
    "the file is not a SQLite database; perhaps it is encrypted (by SQLCipher, say): Savepoint"
    " takes what SQLite can open without a key"
)


class SqliteSnapshot:
    """One moment of a SQLite database; see `backups.engines.interface.Snapshot`."""

    engine = "sqlite"
    unit = "pages"

    def __init__(
        self,
        *,
        unit_size: int,
        units: int,
        facts: Callable[[], dict[str, Any]],
        chunks: Callable[[int], Iterator[bytes]],
        begin_facts: Callable[[], None] = lambda: None,
        release: Callable[[], None] = lambda: None,
        is_examined: bool = False,
    ) -> None:
        self.unit_size = unit_size
        self.units = units
        self.size = unit_size * units
        self.tools = {"sqlite": SQLITE_VERSION}
        self.begin_facts = begin_facts
        self.release = release
        self.is_examined = is_examined
        self._facts = facts
        self._chunks = chunks

    @property
    def facts(self) -> dict[str, Any]:
        """See the interface."""
        return self._facts()

    def blocks(self, block_size: int) -> Iterator[bytes]:
        """See the interface. Raises DatabaseDamaged when pages are missing at the end."""
        seen = 0
        for piece in recut(self._chunks(block_size), block_size):
            seen += len(piece)
            yield piece
        if seen != self.size:
            raise DatabaseDamaged("the database ends before its last page")


@contextmanager
def sqlite_snapshot(
    path: Path,
    *,
    lock_wait: float,
    admit: Admit,
    scratch: Path | None,
    check_seconds: float,
    keep_damaged: bool,
    private: bool,
    checked: Checked | None = None,
) -> Iterator[SqliteSnapshot]:
    """A snapshot of the database at `path`; `lock_wait` in seconds. For `check_seconds` and
    `private` see `SqliteEngine`, for `admit` `connected`, for `keep_damaged` `Engine.snapshot`.
    `checked`: what was found by a look for damage already; then there is none.

    In WAL mode the pages are streamed out of one read transaction while writers go on. In the
    other modes a reader keeps writers from committing, so the pages are first copied, at the
    disk's speed, into a nameless file in `scratch`, and the transaction ends before the first
    block is handed out. In both they are read from the file where that is sound (`sqlite_file`),
    else through SQLite. Raises SourceError.
    """

    def snapshot_of(
        chunks: Callable[[int], Iterator[bytes]], look: Look, *, beside: bool
    ) -> SqliteSnapshot:
        def release() -> None:
            look.close()  # it may be using the connection
            connection.close()

        return SqliteSnapshot(
            unit_size=page_size,
            units=pages,
            facts=rest.trusted(look.facts) if rest else look.facts,
            begin_facts=look.begin if beside else lambda: None,
            chunks=chunks,
            release=release,
            is_examined=checked is not None,
        )

    def look_at(looked_at: Callable[[], AbstractContextManager[Connection]]) -> Look:
        def find(tick: Callable[[], None]) -> dict[str, Any]:
            if unread is not None:
                return {STRUCTURE_CHECKED: False, DAMAGE: unread.reason}
            with looked_at() as found:
                return examined_facts(
                    found,
                    check_seconds=check_seconds,
                    keep_damaged=keep_damaged,
                    tick=tick,
                    checked=checked,
                )

        return Look(find)

    seen = seen_at(path)
    with opened_to_read(path, lock_wait=lock_wait, admit=admit, private=private) as (
        connection,
        rest,
    ):
        immutable = private or rest is not None
        with sqlite_errors_translated():
            # Whatever its schema says, its pages can be read.
            lenient(connection, yes=True)
            connection.execute("BEGIN")
            unread = _take_read_lock(connection, path)
            page_size: int = value(connection, "PRAGMA page_size")
            if unread is None and not immutable and _in_wal(connection):
                check_opened_beside(path)
            if unread is None:
                pages: int = value(connection, "PRAGMA page_count")
                streams = immutable or _in_wal(connection)
                file = file_pages(connection, path, seen, immutable=immutable)
            elif keep_damaged:
                file = file_without_wal(connection, path, seen, page_size)
                pages, streams = file.count, immutable
            else:
                raise unread
        chunks: Callable[[int], Iterator[bytes]]
        chunks = file.chunks if file else partial(database_chunks, connection, page_size)
        if rest:
            chunks = rest.watched(chunks)
        if streams:
            with closing(look_at(lambda: nullcontext(connection))) as look:
                if file:
                    file.before_asking = look.wait
                # Only a connection that is not used for reading can be looked through meanwhile.
                yield snapshot_of(chunks, look, beside=file is not None and file.asks_no_more)
            return
        with spooled(scratch, chunks(READ_SIZE)) as spool:
            connection.close()  # ends the transaction, however damaged the schema is
            with closing(look_at(spool.opened)) as look:
                yield snapshot_of(spool.chunks, look, beside=True)


def _in_wal(connection: Connection) -> bool:
    return bool(value(connection, "PRAGMA journal_mode") == "wal")


def _take_read_lock(connection: Connection, path: Path) -> SourceError | None:
    """Returns why SQLite can't read the schema, even when lenient, and so can't give pages; None if
    it can."""
    try:
        fenced(path.parent, partial(page_of, connection, 1))
    except SqliteError as error:
        code = result_code(error)
        if code == NOT_A_DATABASE and perhaps_encrypted(head_of(path, _HEAD)):
            raise NotADatabase(PERHAPS_ENCRYPTED) from error
        if code not in (GENERAL_ERROR, CORRUPT):
            raise
        # Needs no schema, and takes the lock as well.
        fenced(path.parent, lambda: connection.execute("PRAGMA user_version").fetchall())
        return source_error(error)
    return None


def database_chunks(
    connection: Connection, page_size: int, chunk_size: int
) -> Generator[bytes, None, None]:
    """All pages in order, asked of SQLite, some `chunk_size` bytes at a time.

    The lock page reads as zeros.
    """
    rows = max(1, chunk_size // page_size)
    with sqlite_errors_translated():
        cursor = connection.execute("SELECT data FROM sqlite_dbpage")
        try:
            while batch := cursor.fetchmany(rows):
                yield b"".join([row[0] for row in batch])
        finally:
            with suppress(*SqliteError):  # nobody read to the end, and the connection is closed
                cursor.close()
