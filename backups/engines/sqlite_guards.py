"""SQLite's own functions that a hostile schema could have run for hours in a single call.

A check evaluates the expressions of indexes and generated columns. Most functions take as long as
their values are; the memory that SQLite is given bounds those (see `sqlite_connection`), and
between two calls a check can be stopped. The ones here take as long as the product of two values,
and nothing stops SQLite inside of a call. So the check is given others by their names, which ask
SQLite's for short values and leave long ones undecided.
"""

from collections.abc import Callable
from typing import Any

import sqlean

from backups.engines.sqlite_connection import Connection

_LONGEST = 10_000  # bytes and characters together: some tens of milliseconds at worst
_SLOW = {
    "instr": (2,),
    "replace": (3,),
    "trim": (2,),
    "ltrim": (2,),
    "rtrim": (2,),
    "like": (2, 3),
    "glob": (2,),
    "json_patch": (2,),
    "jsonb_patch": (2,),
}


def guard(connection: Connection, note: Callable[[str], None]) -> Connection:
    """Guard these functions for good. `note` is told the name where one is left undecided.

    Returns the connection that does the work, to be closed when all is done.
    """
    worker = sqlean.connect(":memory:", isolation_level=None, check_same_thread=False)
    for name, counts in _SLOW.items():
        for count in counts:
            guarded = _guarded(worker, name, count, note)
            connection.create_function(name, count, guarded, deterministic=True)
    return worker


def _guarded(
    worker: Connection, name: str, count: int, note: Callable[[str], None]
) -> Callable[..., Any]:
    query = f"SELECT {name}({', '.join('?' * count)})"

    def answer(*values: object) -> Any:
        if sum(len(value) for value in values if isinstance(value, (str, bytes))) > _LONGEST:
            note(name)
            return None
        return worker.execute(query, values).fetchone()[0]

    return answer
