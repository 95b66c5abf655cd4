"""All pages of a SQLite database as they were at one moment, read through SQLite itself."""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from backups.engines.blocks import recut
from backups.engines.sqlite_connection import (
    SQLITE_VERSION,
    Connection,
    SqliteError,
    lenient,
    opened,
    sqlite_errors_translated,
    value,
)
from backups.engines.sqlite_soundness import examined_facts
from backups.engines.sqlite_spool import READ_SIZE, spooled
from backups.errors import DatabaseDamaged


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
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.unit_size = unit_size
        self.units = units
        self.size = unit_size * units
        self.tools = {"sqlite": SQLITE_VERSION}
        self.release = release
        self._facts = facts
        self._chunks = chunks

    @cached_property
    def facts(self) -> dict[str, Any]:
        """See the interface."""
        return self._facts()

    def blocks(self, block_size: int) -> Iterator[bytes]:
        """See the interface. Raises DatabaseDamaged when pages are missing at the end."""
        seen = 0
        for block in recut(self._chunks(block_size), block_size):
            seen += len(block)
            yield block
        if seen != self.size:
            raise DatabaseDamaged("the database ends before its last page")


@contextmanager
def sqlite_snapshot(
    path: Path,
    *,
    lock_wait: float,
    scratch: Path | None,
    check_seconds: float,
    keep_damaged: bool,
    private: bool,
) -> Iterator[SqliteSnapshot]:
    """A snapshot of the database at `path`; `lock_wait` in seconds. For `check_seconds` and
    `private` see `SqliteEngine`, for `keep_damaged` `Engine.snapshot`.

    In WAL mode the pages are streamed out of one read transaction while writers go on. In the
    other modes a reader keeps writers from committing, so the pages are first copied, at the
    disk's speed, into a nameless file in `scratch`, and the transaction ends before the first
    block is handed out. Raises SourceError.
    """

    def snapshot_of(
        chunks: Callable[[int], Iterator[bytes]],
        looked_at: Callable[[], AbstractContextManager[Connection]],
    ) -> SqliteSnapshot:
        def facts() -> dict[str, Any]:
            with looked_at() as found:
                return examined_facts(found, check_seconds=check_seconds, keep_damaged=keep_damaged)

        return SqliteSnapshot(
            unit_size=page_size, units=pages, facts=facts, chunks=chunks, release=connection.close
        )

    with opened(path, lock_wait=lock_wait, immutable=private) as connection:
        with sqlite_errors_translated():
            lenient(connection, yes=keep_damaged)
            connection.execute("BEGIN")
            # The read lock. The schema is looked at as well, if it must be whole.
            table = "sqlite_dbpage WHERE pgno = 1" if keep_damaged else "sqlite_schema LIMIT 1"
            connection.execute(f"SELECT 1 FROM {table}").fetchall()  # noqa: S608
            page_size: int = value(connection, "PRAGMA page_size")
            pages: int = value(connection, "PRAGMA page_count")
            streams = private or value(connection, "PRAGMA journal_mode") == "wal"
        if streams:
            yield snapshot_of(
                lambda size: database_chunks(connection, page_size, size),
                lambda: nullcontext(connection),
            )
            return
        with spooled(scratch, database_chunks(connection, page_size, READ_SIZE)) as spool:
            connection.close()  # ends the transaction, however damaged the schema is
            yield snapshot_of(spool.chunks, spool.opened)


def database_chunks(
    connection: Connection, page_size: int, chunk_size: int
) -> Generator[bytes, None, None]:
    """All pages in order, some `chunk_size` bytes at a time. The lock page reads as zeros."""
    rows = max(1, chunk_size // page_size)
    with sqlite_errors_translated():
        cursor = connection.execute("SELECT data FROM sqlite_dbpage")
        try:
            while batch := cursor.fetchmany(rows):
                yield b"".join([row[0] for row in batch])
        finally:
            with suppress(SqliteError):  # nobody read to the end, and the connection is closed
                cursor.close()
