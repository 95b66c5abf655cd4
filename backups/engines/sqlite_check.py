"""Whether SQLite takes a restored content for a sound database, and how far a restore is."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from backups.engines.interface import Progress
from backups.engines.sqlite_connection import Connection, SqliteError, source_error
from backups.errors import DatabaseDamaged, NotADatabase
from backups.facts import passed_for_sound

logger = logging.getLogger(__name__)

# Findings about values, not about structure. The database that was backed up held them already,
# and the content's hash answers for their being the same; they must not forbid its restore.
_ABOUT_VALUES = ("NULL value in", "CHECK constraint failed in", "NUMERIC value in", "TEXT value in")
_STEPS_BETWEEN_TICKS = 100_000
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

    def reread(self, units: int, of: int) -> None:
        """So many of the units to be read back are: two tenths. The rest is SQLite's check."""
        share = self._total * units // max(1, of)
        self._report(self._total - self._total * 7 // 10 - share * 2 // 10)

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


class StructureDamaged(DatabaseDamaged):
    """SQLite finds the structure of a content broken."""


def content_check(
    connection: Connection, facts: Mapping[str, Any], tick: Callable[[], None]
) -> None:
    """`quick_check` of a version's content, as strict as its facts allow.

    A database that is known to have been damaged when a version of it was kept, or that nobody
    looked at then, comes back as it was: what is found is only logged.
    """
    try:
        quick_check(connection, tick)
    except StructureDamaged as damaged:
        if passed_for_sound(facts):
            raise
        logger.warning("A version comes back as damaged as it was: %s", damaged.reason)


def quick_check(
    connection: Connection, tick: Callable[[], None], *, steps: int = _STEPS_BETWEEN_TICKS
) -> None:
    """Raise StructureDamaged when SQLite finds the structure of the database broken.

    `tick` is called while it runs, after so many pages or instructions; what it raises stops the
    check and is passed on.
    """
    _check(connection, "quick_check", tick, steps)


def integrity_check(connection: Connection, tick: Callable[[], None]) -> None:
    """The same as `quick_check`, and whether all indexes hold what their tables do."""
    _check(connection, "integrity_check", tick, _STEPS_BETWEEN_TICKS)


def _check(connection: Connection, pragma: str, tick: Callable[[], None], steps: int) -> None:
    raised: list[BaseException] = []

    def stop() -> int:
        try:
            tick()
        except BaseException as error:
            raised.append(error)  # SQLite's callback can't pass it on itself
            return 1
        return 0

    connection.set_progress_handler(stop, steps)
    try:
        rows = connection.execute(f"PRAGMA {pragma}({_FINDINGS})").fetchall()
    except SqliteError as error:
        if raised:
            raise raised[0] from None
        if isinstance(found := source_error(error), (DatabaseDamaged, NotADatabase)):
            raise StructureDamaged(found.reason) from error
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
        raise StructureDamaged(f"SQLite finds damage: {finding}")
