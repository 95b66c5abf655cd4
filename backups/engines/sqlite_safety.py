"""What a SQLite database holds right before a restore writes over it.

A database that needs restoring is often damaged. A connection that comes upon damage inside a
transaction refuses to write until the transaction ends; so what may meet damage is done first, and
if it does, the transaction is begun again.
"""

from functools import partial
from typing import Any

from backups.engines.sqlite_connection import (
    CORRUPT,
    Connection,
    SqliteError,
    result_code,
    source_error,
    value,
)
from backups.engines.sqlite_facts import database_facts
from backups.engines.sqlite_file import FilePages
from backups.engines.sqlite_snapshot import SqliteSnapshot, database_chunks
from backups.facts import DAMAGE, NOT_YET, STRUCTURE_CHECKED, UNCHECKED

# Others wait meanwhile.
_FACTS_BUDGET = 0.2
_NOT_LOOKED_AT = f"{NOT_YET}other programs had to wait meanwhile; a verification checks all of it"


class LiveUnreadable(Exception):
    """SQLite met damage, or a failing disk, and the transaction can't write any more. `facts` say
    which."""

    def __init__(self, facts: dict[str, Any]) -> None:
        super().__init__()
        self.facts = facts


def live_snapshot(
    connection: Connection, file: FilePages | None, *, known: dict[str, Any] | None
) -> SqliteSnapshot:
    """The content inside the connection's transaction, which keeps all others from writing.

    `file`: its pages past SQLite, where that can be. `known`: facts that an earlier transaction
    came upon; nothing is looked for then. Raises LiveUnreadable. The connection is lenient.
    """
    page_size: int = value(connection, "PRAGMA page_size")
    facts = _facts(connection) if known is None else known
    return SqliteSnapshot(
        unit_size=page_size,
        units=value(connection, "PRAGMA page_count"),
        facts=lambda: facts,
        chunks=file.chunks if file else partial(database_chunks, connection, page_size),
    )


def _facts(connection: Connection) -> dict[str, Any]:
    """Little time is spent on them, as others wait."""
    facts: dict[str, Any] = {STRUCTURE_CHECKED: False}
    try:
        facts |= database_facts(connection, budget=_FACTS_BUDGET)
        # Changes nothing, but fails where nothing can be written any more.
        connection.execute("UPDATE sqlite_dbpage SET data = NULL WHERE pgno = 0")
    except SqliteError as error:
        found = source_error(error)
        kind = DAMAGE if result_code(error) == CORRUPT else UNCHECKED
        raise LiveUnreadable({STRUCTURE_CHECKED: False, kind: found.reason}) from error
    return facts | {UNCHECKED: _NOT_LOOKED_AT}
