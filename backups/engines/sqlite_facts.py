"""What a SQLite database says about itself, taken inside the snapshot's own transaction."""

import threading
import time
from typing import Any

from backups.engines.sqlite_connection import Connection, SqliteError, source_error, value
from backups.errors import DatabaseDamaged

_SETTINGS = (
    "journal_mode",
    "encoding",
    "auto_vacuum",
    "user_version",
    "application_id",
    "schema_version",
)


def database_facts(connection: Connection, *, budget: float) -> dict[str, Any]:
    """Settings, and the row count of each ordinary table.

    A count is None for tables that were not counted within `budget` seconds in all, or that
    cannot be counted: facts are a help for the reader and never a reason to fail. Raises SQLite's
    own error where a count comes upon damage, or has ended the transaction that it was to be in.
    """
    facts: dict[str, Any] = {name: value(connection, f"PRAGMA {name}") for name in _SETTINGS}
    facts["tables"] = _row_counts(connection, budget)
    return facts


def _row_counts(connection: Connection, budget: float) -> dict[str, int | None]:
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    names = [
        name
        for (name,) in connection.execute(
            # virtual tables have no root page; counting them would need their module
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0"
            " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        )
        if "\0" not in name  # SQLite lets it be, but no query can name it
    ]
    counts: dict[str, int | None] = dict.fromkeys(names)
    deadline = time.monotonic() + budget
    # An interrupt, not a progress handler: a count is one instruction and never calls it.
    timer = threading.Timer(budget, connection.interrupt)
    timer.daemon = True
    timer.start()
    held = connection.in_transaction
    try:
        for name in names:
            if time.monotonic() >= deadline:
                break
            quoted = '"' + name.replace('"', '""') + '"'
            try:
                counts[name] = value(connection, f"SELECT count(*) FROM {quoted}")  # noqa: S608
            except SqliteError as error:
                lost = held and not connection.in_transaction
                if lost or isinstance(source_error(error), DatabaseDamaged):
                    raise
                continue  # interrupted, or it takes a function of its application's
    finally:
        timer.cancel()
        timer.join()
    return counts
