"""Whether SQLite takes a restored content for a sound database, and how far a restore is."""

import logging
from collections.abc import Callable

from backups.engines.interface import Progress
from backups.engines.sqlite_connection import Connection, SqliteError
from backups.errors import DatabaseDamaged

logger = logging.getLogger(__name__)

# Findings about values, not about structure. The database that was backed up held them already,
# and the content's hash answers for their being the same; they must not forbid its restore.
_ABOUT_VALUES = ("NULL value in", "CHECK constraint failed in", "NUMERIC value in", "TEXT value in")
_OPCODES_BETWEEN_TICKS = 100_000
_FINDINGS = 100


class RestoreProgress:
    """A restore's phases as one count of units that never rises."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._remaining = total

    def written(self, units: int) -> None:
        """The first `units` units are as they shall be: seven tenths of the work."""
        self._report(self._total - units * 7 // 10)

    def reread(self, units: int) -> None:
        """The first `units` units were read back: two tenths. The rest is SQLite's check."""
        self._report(self._total - self._total * 7 // 10 - units * 2 // 10)

    def tick(self) -> None:
        """Still at work; gives the caller a chance to stop it."""
        self._report(self._remaining)

    def done(self) -> None:
        """Everything but the commit is done."""
        self._remaining = 0
        self._progress(self._total, 0)

    def _report(self, remaining: int) -> None:
        self._remaining = min(self._remaining, max(remaining, 1))
        self._progress(self._total, self._remaining)


def quick_check(connection: Connection, tick: Callable[[], None]) -> None:
    """Raise DatabaseDamaged when SQLite finds the structure of the database broken.

    `tick` is called while it runs; what it raises stops the check and is passed on.
    """
    raised: list[BaseException] = []

    def stop() -> int:
        try:
            tick()
        except BaseException as error:
            raised.append(error)  # SQLite's callback can't pass it on itself
            return 1
        return 0

    connection.set_progress_handler(stop, _OPCODES_BETWEEN_TICKS)
    try:
        rows = connection.execute(f"PRAGMA quick_check({_FINDINGS})").fetchall()
    except SqliteError as error:
        if raised:
            raise raised[0] from None
        if not str(error).startswith(("no such", "unknown")):
            raise
        # The schema needs a function, collation or module that its application brings along.
        logger.warning("The structure could not be checked by SQLite: %s", error)
        return
    finally:
        connection.set_progress_handler(None, 0)
    broken = [text for (text,) in rows if text != "ok" and not text.startswith(_ABOUT_VALUES)]
    if broken:
        finding = " ".join(broken[0].split())[:200]
        raise DatabaseDamaged(f"SQLite finds the version's content damaged: {finding}")
