"""A version over a live SQLite database whose pages are divided otherwise, by the backup API.

Neither a page size nor the bytes reserved in each page can be changed by writing pages. SQLite's
own backup can, in one transaction, but not in WAL mode. So the database is held exclusively from
before the safety version to the end (`PRAGMA locking_mode = EXCLUSIVE`, which keeps the lock over
the transactions of one connection), and in WAL mode leaves that mode in between. The first page of
the copy has the live journal mode, so that the commit brings it back with the new content.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from backups.engines.fence import fenced
from backups.engines.interface import Content, Progress, Snapshot
from backups.engines.sqlite_connection import (
    BUSY,
    LOCKED,
    Connection,
    SqliteError,
    lenient,
    read_schema,
    result_code,
    sqlite_errors_translated,
    value,
)
from backups.engines.sqlite_copy import durable_copy, opened_copy
from backups.engines.sqlite_file import FilePages, file_pages, seen_at
from backups.engines.sqlite_header import Header
from backups.engines.sqlite_live import opened_to_write
from backups.engines.sqlite_mark import COOKIES, LayoutMark
from backups.engines.sqlite_ownership import JOURNAL, WAL, Beside
from backups.engines.sqlite_pages import live_header
from backups.engines.sqlite_place import Admit
from backups.engines.sqlite_progress import RestoreProgress
from backups.engines.sqlite_restore import check_encoding
from backups.engines.sqlite_safety import LiveUnreadable, live_snapshot
from backups.engines.sqlite_snapshot import SqliteSnapshot
from backups.errors import DatabaseBusy, DatabaseUnreachable

STEP_BYTES = 1 << 22


def overwrite(
    path: Path,
    content: Content,
    *,
    lock_wait: float,
    admit: Admit,
    scratch: Path | None,
    keep: Callable[[Snapshot], None] | None,
    before_commit: Callable[[str], None],
    progress: Progress,
) -> None:
    """See `Engine.restore`. Waits up to `lock_wait` seconds until nobody else has the database in
    use; in WAL mode an open connection uses it also when it does nothing.

    Raises SourceError and what `content` raises, with nothing changed. A process that is killed
    on the way may leave a database that was in WAL mode, whole, in a rollback-journal mode.
    """
    steps = RestoreProgress(progress, content.units)
    seen = seen_at(path)
    with (
        durable_copy(content, scratch, steps, prefix="savepoint-copy-") as copy,
        opened_to_write(path, lock_wait=lock_wait, admit=admit, alone=True) as (live, beside),
        sqlite_errors_translated(),
        _held(live, path.parent),
    ):
        header = _examined(live, copy)
        if keep is not None:
            keep(_snapshot(live, file_pages(live, path, seen)))
        live.execute("ROLLBACK")
        beside.place([JOURNAL])  # nobody else gets at the database any more
        with _no_wal(live, header, beside), opened_copy(copy) as version:
            _back_up(version, live, header, steps, before_commit)


@contextmanager
def _held(live: Connection, folder: Path) -> Iterator[None]:
    """Nobody else reads or writes; what is done inside may be several transactions."""
    lenient(live, yes=True)
    live.execute("PRAGMA locking_mode = EXCLUSIVE")
    try:
        fenced(folder, partial(_begin, live))
    except SqliteError as error:
        if result_code(error) not in (BUSY, LOCKED):
            raise
        raise DatabaseBusy(
            "other programs have the database open; only while none has can its page size be"
            " changed to the version's; nothing was changed"
        ) from error
    try:
        yield
    finally:
        with suppress(*SqliteError):  # the end of the connection lets go too
            if live.in_transaction:
                live.execute("ROLLBACK")


def _begin(live: Connection) -> None:
    read_schema(live)
    live.execute("BEGIN EXCLUSIVE")


def _examined(live: Connection, copy: Path) -> Header:
    """The live first page; makes the copy fit to follow it."""
    header = live_header(live)
    with open(copy, "r+b") as file:
        version = Header(file.read(len(header.page)))
        check_encoding(version, header)
        if version.layout == header.layout:
            # The mark could not tell the old from the new.
            raise DatabaseBusy("another program has rebuilt the database; nothing was changed")
        file.seek(0)
        file.write(version.following(header))
    return header


def _snapshot(live: Connection, file: FilePages | None) -> SqliteSnapshot:
    try:
        return live_snapshot(live, file, known=None)
    except LiveUnreadable as unreadable:
        return live_snapshot(live, file, known=unreadable.facts)


@contextmanager
def _no_wal(live: Connection, header: Header, beside: Beside) -> Iterator[None]:
    if not header.wal:
        yield
        return
    _set_journal_mode(live, "delete")
    try:
        yield
    except BaseException:
        with suppress(*SqliteError):
            beside.place([WAL])
            live.execute("PRAGMA journal_mode = wal").fetchall()
        raise


def _set_journal_mode(live: Connection, mode: str) -> None:
    if value(live, f"PRAGMA journal_mode = {mode}") != mode:
        raise DatabaseUnreachable("the database can't leave WAL mode; nothing was changed")


def _back_up(
    version: Connection,
    live: Connection,
    header: Header,
    steps: RestoreProgress,
    before_commit: Callable[[str], None],
) -> None:
    """One transaction, which begins with the first step and is committed by the last."""
    source = live_header(version)
    pages: int = value(version, "PRAGMA page_count")
    at_once = max(1, min(STEP_BYTES // source.page_size, pages - 1))
    # SQLite gives what it has backed up to the cookie after the live one.
    mark = LayoutMark(*source.layout, (header.cookie + 1) % COOKIES)

    def commit_next() -> None:
        steps.done()
        before_commit(str(mark))

    def step(status: int, remaining: int, total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise DatabaseBusy("another program has the database open; nothing was changed")
        if status == sqlite3.SQLITE_DONE:
            return
        if remaining <= at_once:
            commit_next()
        else:
            steps.reread(total - remaining, total)

    if pages <= at_once:
        commit_next()
    version.backup(live, pages=at_once, progress=step)
