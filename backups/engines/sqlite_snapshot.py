"""All pages of a SQLite database as they were at one moment, read through SQLite itself."""

import errno
import os
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from backups.engines.blocks import recut
from backups.engines.sqlite_connection import (
    SQLITE_VERSION,
    Connection,
    SqliteError,
    opened,
    sqlite_errors_translated,
    value,
)
from backups.engines.sqlite_facts import database_facts
from backups.errors import DatabaseDamaged, DatabaseFull, DatabaseUnreachable

READ_SIZE = 1 << 18
WAL_FACTS_BUDGET = 1.0
# While a reader holds a rollback-journal database its writers wait, so little is spent on counts.
ROLLBACK_FACTS_BUDGET = 0.2


class SqliteSnapshot:
    """One moment of a SQLite database; see `backups.engines.interface.Snapshot`."""

    engine = "sqlite"
    unit = "pages"

    def __init__(
        self,
        *,
        unit_size: int,
        units: int,
        facts: dict[str, Any],
        chunks: Callable[[int], Iterator[bytes]],
        source_state: str = "",
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.unit_size = unit_size
        self.units = units
        self.size = unit_size * units
        self.facts = facts
        self.tools = {"sqlite": SQLITE_VERSION}
        self.source_state = source_state
        self.release = release
        self._chunks = chunks

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
    path: Path, *, lock_wait: float, scratch: Path | None
) -> Iterator[SqliteSnapshot]:
    """A snapshot of the database at `path`; `lock_wait` in seconds.

    In WAL mode the pages are streamed out of one read transaction while writers go on. In the
    other modes a reader keeps writers from committing, so the pages are first copied, at the
    disk's speed, into a nameless file in `scratch`, and the transaction ends before the first
    block is handed out. Raises SourceError.
    """
    with opened(path, lock_wait=lock_wait) as connection:
        with sqlite_errors_translated():
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()  # the read lock
            page_size: int = value(connection, "PRAGMA page_size")
            pages: int = value(connection, "PRAGMA page_count")
            wal = value(connection, "PRAGMA journal_mode") == "wal"
            budget = WAL_FACTS_BUDGET if wal else ROLLBACK_FACTS_BUDGET
            facts = database_facts(connection, budget=budget)

        def snapshot_of(chunks: Callable[[int], Iterator[bytes]]) -> SqliteSnapshot:
            return SqliteSnapshot(
                unit_size=page_size,
                units=pages,
                facts=facts,
                chunks=chunks,
                release=connection.close,
            )

        if wal:
            yield snapshot_of(lambda size: database_chunks(connection, page_size, size))
            return
        with _spool(scratch) as spool:
            _copy(database_chunks(connection, page_size, READ_SIZE), spool)
            with sqlite_errors_translated():
                connection.execute("COMMIT")
            yield snapshot_of(lambda size: _spooled_chunks(spool, size))


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


@contextmanager
def _spool(scratch: Path | None) -> Iterator[BinaryIO]:
    # Nameless, so that a killed process leaves no copy of anybody's data behind.
    with ExitStack() as stack:
        try:
            spool = stack.enter_context(tempfile.TemporaryFile(dir=scratch, buffering=0))
        except OSError as error:
            raise _scratch_error(error) from error
        yield spool


def _copy(chunks: Iterator[bytes], spool: BinaryIO) -> None:
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            try:
                rest = rest[os.write(spool.fileno(), rest) :]
            except OSError as error:
                raise _scratch_error(error) from error


def _spooled_chunks(spool: BinaryIO, chunk_size: int) -> Iterator[bytes]:
    try:
        spool.seek(0)
        while chunk := spool.read(max(chunk_size, READ_SIZE // chunk_size * chunk_size)):
            yield chunk
    except OSError as error:
        raise _scratch_error(error) from error


def _scratch_error(error: OSError) -> DatabaseFull | DatabaseUnreachable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DatabaseFull("no room is left in the scratch folder for a copy of the database")
    return DatabaseUnreachable(f"the scratch folder cannot be used: {error.strerror}")
