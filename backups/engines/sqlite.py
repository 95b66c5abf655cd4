"""The SQLite engine."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from backups.engines.fence import fenced
from backups.engines.interface import Content, Progress, Snapshot
from backups.engines.sqlite_check import Checked, check
from backups.engines.sqlite_child import TOO_MUCH, looked
from backups.engines.sqlite_connection import (
    database_exists,
    lenient,
    read_schema,
    sqlite_errors_translated,
)
from backups.engines.sqlite_copy import check_readable
from backups.engines.sqlite_examine import examine
from backups.engines.sqlite_leftovers import remove_copies, remove_leftovers
from backups.engines.sqlite_live import opened_to_read
from backups.engines.sqlite_mark import CookieMark, FileMark, LayoutMark, parse_mark
from backups.engines.sqlite_overwrite import overwrite
from backups.engines.sqlite_ownership import Rights
from backups.engines.sqlite_pages import header_of
from backups.engines.sqlite_place import Admit, pinned
from backups.engines.sqlite_rebuild import rebuild
from backups.engines.sqlite_restore import LayoutDiffers, restore_in_place
from backups.engines.sqlite_snapshot import sqlite_snapshot
from backups.engines.sqlite_state import file_state
from backups.errors import DatabaseMissing, DatabaseUnreachable, SourceError
from backups.facts import Findings


class SqliteEngine:
    """One SQLite file, which other processes may have open; see `backups.engines.interface`."""

    name = "sqlite"

    def __init__(
        self,
        path: Path,
        *,
        lock_wait: float = 10.0,
        scratch: Path | None = None,
        check_seconds: float = 0.25,
        private: bool = False,
        rights: str = "",
        follow_links: bool = True,
        admit: Admit = lambda found: None,
    ) -> None:
        """`lock_wait`: seconds to wait for others' locks. `scratch`: where temporary copies go;
        None for the system's folder. `check_seconds`: how long a snapshot may look for damage.
        `private`: the file is Savepoint's own, and nobody else has it open; it is only read.
        `rights`: what `rights` told of the database when it was there last; "" if that is
        unknown. `follow_links`: whether symbolic links on the `path` are followed, now and never
        again; without, there must be none. `admit`: told of the file that was opened before it is
        read; raises SourceError if it must not be used."""
        # SQLite follows symbolic links too, and keeps its -wal beside the target.
        self._path = Path(os.path.realpath(path)) if follow_links else Path(os.path.abspath(path))
        self._admit = admit
        self._lock_wait = lock_wait
        self._scratch = scratch
        self._check_seconds = check_seconds
        self._private = private
        self._rights = rights
        self._checked: Checked | None = None

    def state(self) -> str:
        """See `Engine.state` and `file_state`."""
        if self._private:
            return ""
        try:
            with pinned(self._path) as path:
                return file_state(path)
        except DatabaseMissing:
            return ""

    def rights(self) -> str:
        """See `Engine.rights`."""
        try:
            with pinned(self._path) as path:
                return str(Rights.of(os.lstat(path)))
        except (OSError, SourceError):
            return ""

    def snapshot(self, *, keep_damaged: bool = False) -> AbstractContextManager[Snapshot]:
        """See `Engine.snapshot` and `sqlite_snapshot`."""
        return self._snapshot(keep_damaged=keep_damaged)

    @contextmanager
    def _snapshot(self, *, keep_damaged: bool) -> Iterator[Snapshot]:
        with (
            pinned(self._path) as path,
            sqlite_snapshot(
                path,
                lock_wait=self._lock_wait,
                admit=self._admit,
                scratch=self._scratch,
                check_seconds=self._check_seconds,
                keep_damaged=keep_damaged,
                private=self._private,
                checked=self._checked,
            ) as snapshot,
        ):
            yield snapshot

    def check(self, tick: Callable[[], None]) -> None:
        """See `Engine.check`."""
        if self._private:
            self._check_private(tick)
            return
        with (
            pinned(self._path) as path,
            opened_to_read(path, lock_wait=self._lock_wait, admit=self._admit) as (
                connection,
                rest,
            ),
            sqlite_errors_translated(),
        ):
            lenient(connection, yes=True)
            connection.execute("BEGIN")
            fenced(path.parent, partial(read_schema, connection))
            self._checked = check(connection, tick, thorough=True)
            if rest:
                rest.check()

    def _check_private(self, tick: Callable[[], None]) -> None:
        if not database_exists(self._path):
            raise DatabaseMissing("there is no database at the project's address")
        self._checked, _ = looked(self._path, tick, thorough=True)
        if self._checked.damage:
            check_readable(self._path)
        if self._checked.rest == TOO_MUCH:
            raise DatabaseUnreachable(
                "SQLite's check of the file took more memory or time than a check is given"
            )

    def restore(
        self,
        content: Content,
        *,
        keep: Callable[[Snapshot], None] | None = None,
        before_commit: Callable[[str], None],
        progress: Progress,
    ) -> None:
        """See `Engine.restore`; in place, or as a new file when there is none."""
        with ExitStack() as stack:
            try:
                path = stack.enter_context(pinned(self._path))
            except DatabaseMissing as error:
                raise DatabaseUnreachable(
                    "the folder of the project's database does not exist"
                ) from error
            if not database_exists(path):
                rebuild(
                    path,
                    content,
                    rights=Rights.parse(self._rights) if self._rights else None,
                    before_commit=before_commit,
                    progress=progress,
                )
                return
            put = partial(
                restore_in_place,
                path,
                content,
                lock_wait=self._lock_wait,
                admit=self._admit,
                keep=keep,
                before_commit=before_commit,
                progress=progress,
            )
            try:
                put()
            except LayoutDiffers:
                overwrite(*put.args, scratch=self._scratch, **put.keywords)

    def holds(self, mark: str) -> bool:
        """See `Engine.holds`. Raises ValueError for what is no mark of this engine."""
        try:
            with pinned(self._path) as path:
                return database_exists(path) and self._holds(path, mark)
        except DatabaseMissing:
            return False

    def _holds(self, path: Path, mark: str) -> bool:
        match parse_mark(mark):
            case FileMark() as file:
                return file == FileMark.of(path)
            case CookieMark() as cookie:
                header = header_of(path, lock_wait=self._lock_wait, admit=self._admit)
                return cookie.is_reached(header.cookie if header else 0)
            case LayoutMark() as layout:
                header = header_of(path, lock_wait=self._lock_wait, admit=self._admit)
                return header is not None and layout.is_reached(*header.layout, header.cookie)

    def examine(
        self, content: Content, *, facts: Mapping[str, Any], progress: Progress
    ) -> Findings:
        """See `Engine.examine`."""
        return examine(content, facts, scratch=self._scratch, progress=progress)

    def remove_leftovers(self, *, grace: float) -> int:
        """See `Engine.remove_leftovers`."""
        removed = remove_copies(self._scratch, grace=grace) if self._scratch else 0
        try:
            with pinned(self._path) as path:
                return removed + remove_leftovers(path, grace=grace)
        except DatabaseMissing:
            return removed
