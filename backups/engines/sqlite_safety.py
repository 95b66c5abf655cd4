"""What a SQLite database holds right before a restore writes over it.

What is to be restored often is damaged. A connection that comes upon damage inside a transaction
refuses to write from then on, until the transaction ends; so what may come upon it is done before,
or the transaction is begun anew.
"""

from functools import partial
from typing import Any

from backups.engines.sqlite_connection import Connection, SqliteError, lenient, value
from backups.engines.sqlite_facts import database_facts
from backups.engines.sqlite_file import FilePages
from backups.engines.sqlite_snapshot import SqliteSnapshot, database_chunks
from backups.facts import DAMAGE, STRUCTURE_CHECKED

# Others wait meanwhile.
_FACTS_BUDGET = 0.2


class LiveDamaged(Exception):
    """Damage was come upon: the transaction can't write any more."""


def live_snapshot(connection: Connection, file: FilePages | None, *, sound: bool) -> SqliteSnapshot:
    """The content inside the connection's transaction, which keeps all others from writing.

    `file`: its pages past SQLite, where that can be. With `sound`, raises LiveDamaged when damage
    was come upon; without, nothing that could is done.
    """
    page_size: int = value(connection, "PRAGMA page_size")
    facts: dict[str, Any] = {DAMAGE: "the database is damaged"}
    if sound:
        facts = {STRUCTURE_CHECKED: False} | _facts(connection)
    return SqliteSnapshot(
        unit_size=page_size,
        units=value(connection, "PRAGMA page_count"),
        facts=lambda: facts,
        chunks=file.chunks if file else partial(database_chunks, connection, page_size),
    )


def _facts(connection: Connection) -> dict[str, Any]:
    """Little time is spent on them, as others wait."""
    lenient(connection, yes=False)
    try:
        facts = database_facts(connection, budget=_FACTS_BUDGET)
        # Changes nothing, but fails where nothing can be written any more.
        connection.execute("UPDATE sqlite_dbpage SET data = NULL WHERE pgno = 0")
    except SqliteError as error:
        raise LiveDamaged from error
    lenient(connection, yes=True)
    return facts
