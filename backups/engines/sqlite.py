"""The SQLite engine."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from backups.engines.interface import Content, Progress, Snapshot
from backups.engines.sqlite_check import Checked, check
from backups.engines.sqlite_connection import database_exists, sqlite_errors_translated
from backups.engines.sqlite_copy import check_readable
from backups.engines.sqlite_examine import examine
from backups.engines.sqlite_leftovers import remove_leftovers
from backups.engines.sqlite_live import opened_to_read
from backups.engines.sqlite_mark import CookieMark, FileMark, LayoutMark, parse_mark
from backups.engines.sqlite_overwrite import overwrite
from backups.engines.sqlite_ownership import Rights
from backups.engines.sqlite_pages import header_of
from backups.engines.sqlite_rebuild import rebuild
from backups.engines.sqlite_restore import LayoutDiffers, restore_in_place
from backups.engines.sqlite_snapshot import sqlite_snapshot
from backups.engines.sqlite_state import file_state
from backups.errors import DatabaseUnreachable
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
    ) -> None:
        """`lock_wait`: seconds to wait for others' locks. `scratch`: where temporary copies go;
        None for the system's folder. `check_seconds`: how long a snapshot may look for damage.
        `private`: the file is Savepoint's own, and nobody else has it open; it is only read.
        `rights`: what `rights` told of the database when it was there last; "" if that is
        unknown."""
        # SQLite follows symbolic links too, and keeps its -wal beside the target.
        self._path = Path(os.path.realpath(path))
        self._lock_wait = lock_wait
        self._scratch = scratch
        self._check_seconds = check_seconds
        self._private = private
        self._rights = rights
        self._checked: Checked | None = None

    def state(self) -> str:
        """See `Engine.state` and `file_state`."""
        return "" if self._private else file_state(self._path)

    def rights(self) -> str:
        """See `Engine.rights`."""
        try:
            return str(Rights.of(os.stat(self._path)))
        except OSError:
            return ""

    def snapshot(self, *, keep_damaged: bool = False) -> AbstractContextManager[Snapshot]:
        """See `Engine.snapshot` and `sqlite_snapshot`."""
        return sqlite_snapshot(
            self._path,
            lock_wait=self._lock_wait,
            scratch=self._scratch,
            check_seconds=self._check_seconds,
            keep_damaged=keep_damaged,
            private=self._private,
            checked=self._checked,
        )

    def check(self, tick: Callable[[], None]) -> None:
        """See `Engine.check`."""
        with (
            opened_to_read(self._path, lock_wait=self._lock_wait, private=self._private) as (
                connection,
                rest,
            ),
            sqlite_errors_translated(),
        ):
            self._checked = check(connection, tick, thorough=True)
            if self._checked.damage and self._private:
                check_readable(self._path)
            if rest:
                rest.check()

    def restore(
        self,
        content: Content,
        *,
        keep: Callable[[Snapshot], None] | None = None,
        before_commit: Callable[[str], None],
        progress: Progress,
    ) -> None:
        """See `Engine.restore`; in place, or as a new file when there is none."""
        if database_exists(self._path):
            put = partial(
                restore_in_place,
                self._path,
                content,
                lock_wait=self._lock_wait,
                keep=keep,
                before_commit=before_commit,
                progress=progress,
            )
            try:
                put()
            except LayoutDiffers:
                overwrite(*put.args, scratch=self._scratch, **put.keywords)
            return
        if not self._path.parent.is_dir():
            raise DatabaseUnreachable("the folder of the project's database does not exist")
        rebuild(
            self._path,
            content,
            rights=Rights.parse(self._rights) if self._rights else None,
            before_commit=before_commit,
            progress=progress,
        )

    def holds(self, mark: str) -> bool:
        """See `Engine.holds`. Raises ValueError for what is no mark of this engine."""
        if not database_exists(self._path):
            return False
        match parse_mark(mark):
            case FileMark() as file:
                return file == FileMark.of(self._path)
            case CookieMark() as cookie:
                header = header_of(self._path, lock_wait=self._lock_wait)
                return cookie.is_reached(header.cookie if header else 0)
            case LayoutMark() as layout:
                header = header_of(self._path, lock_wait=self._lock_wait)
                return header is not None and layout.is_reached(*header.layout, header.cookie)

    def examine(
        self, content: Content, *, facts: Mapping[str, Any], progress: Progress
    ) -> Findings:
        """See `Engine.examine`."""
        return examine(content, facts, scratch=self._scratch, progress=progress)

    def remove_leftovers(self, *, grace: float) -> int:
        """See `Engine.remove_leftovers`."""
        return remove_leftovers(self._path, self._scratch, grace=grace)
