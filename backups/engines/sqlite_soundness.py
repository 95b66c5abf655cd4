"""The facts of a snapshot, and whether what they are told of is sound."""

import time
from collections.abc import Callable
from typing import Any

from backups.engines.sqlite_check import quick_check
from backups.engines.sqlite_connection import (
    Connection,
    lenient,
    sqlite_errors_translated,
)
from backups.engines.sqlite_facts import database_facts
from backups.errors import DatabaseDamaged, NotADatabase
from backups.facts import DAMAGE, STRUCTURE_CHECKED

_COUNT_SECONDS = 1.0
# Often enough to keep to the time: some hundredths of a second for so many pages.
_STEPS = 20_000


class _OutOfTime(Exception):
    pass


def examined_facts(
    connection: Connection,
    *,
    check_seconds: float,
    keep_damaged: bool,
    tick: Callable[[], None],
) -> dict[str, Any]:
    """The database's facts, after a look for damage of at most `check_seconds`.

    Damage is a fact of what is kept `keep_damaged`; else it raises DatabaseDamaged or NotADatabase.
    Raises other SourceErrors, and what `tick` raises, which is called on the way.
    """
    try:
        with sqlite_errors_translated():
            lenient(connection, yes=False)
            facts = database_facts(connection, budget=_COUNT_SECONDS)
            if _is_checked(connection, check_seconds, tick):
                facts[STRUCTURE_CHECKED] = True
    except (DatabaseDamaged, NotADatabase) as damaged:
        if not keep_damaged:
            raise
        return {DAMAGE: damaged.reason}
    return facts


def _is_checked(connection: Connection, seconds: float, tick: Callable[[], None]) -> bool:
    """Whether all of the structure was found sound within so many seconds."""
    deadline = time.monotonic() + seconds

    def tick_in_time() -> None:
        tick()
        if time.monotonic() > deadline:
            raise _OutOfTime

    try:
        if seconds > 0:
            quick_check(connection, tick_in_time, steps=_STEPS)
    except _OutOfTime:
        return False
    return seconds > 0
