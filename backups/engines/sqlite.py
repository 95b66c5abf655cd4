"""The SQLite engine."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from backups.engines.interface import Content, Progress, Snapshot
from backups.engines.sqlite_connection import database_exists
from backups.engines.sqlite_mark import CookieMark, FileMark, parse_mark
from backups.engines.sqlite_rebuild import rebuild
from backups.engines.sqlite_restore import live_cookie, restore_in_place
from backups.engines.sqlite_snapshot import sqlite_snapshot
from backups.errors import DatabaseUnreachable


class SqliteEngine:
    """One SQLite file, which other processes may have open; see `backups.engines.interface`."""

    name = "sqlite"

    def __init__(self, path: Path, *, lock_wait: float = 10.0, scratch: Path | None = None) -> None:
        """`lock_wait`: seconds to wait for others' locks. `scratch`: where temporary copies go;
        None for the system's folder."""
        # SQLite follows symbolic links too, and keeps its -wal beside the target.
        self._path = Path(os.path.realpath(path))
        self._lock_wait = lock_wait
        self._scratch = scratch

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """See `Engine.snapshot` and `sqlite_snapshot`."""
        return sqlite_snapshot(self._path, lock_wait=self._lock_wait, scratch=self._scratch)

    def restore(
        self, content: Content, *, before_commit: Callable[[str], None], progress: Progress
    ) -> None:
        """See `Engine.restore`; in place, or as a new file when there is none."""
        if database_exists(self._path):
            restore_in_place(
                self._path,
                content,
                lock_wait=self._lock_wait,
                scratch=self._scratch,
                before_commit=before_commit,
                progress=progress,
            )
            return
        if not self._path.parent.is_dir():
            raise DatabaseUnreachable("the folder of the project's database does not exist")
        rebuild(self._path, content, before_commit=before_commit, progress=progress)

    def holds(self, mark: str) -> bool:
        """See `Engine.holds`. Raises ValueError for what is no mark of this engine."""
        if not database_exists(self._path):
            return False
        match parse_mark(mark):
            case FileMark() as file:
                return file == FileMark.of(self._path)
            case CookieMark() as cookie:
                return cookie.is_reached(live_cookie(self._path, lock_wait=self._lock_wait))
