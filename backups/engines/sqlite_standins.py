"""A schema that SQLite can read whatever an application has put into it, over the same pages.

Only for a copy that is thrown away: its schema is replaced. Tables that SQLite can't check become
tables of one column, with indexes of one column, over the same root pages; virtual tables, which
have no pages of their own, go. So the pages can be checked, if not what is in the rows.
"""

from collections.abc import Iterable
from pathlib import Path

from backups.engines.sqlite_connection import (
    Connection,
    lenient,
    opened,
    page_of,
    sqlite_errors_translated,
)

_FILE_FORMAT = 18
_ROLLBACK_JOURNAL = b"\1\1"
# See "B-tree Pages" in https://www.sqlite.org/fileformat2.html
_TREES_OF_INDEXES = (2, 10)
_COLUMN = "a"


def stand_in(copy: Path, tables: Iterable[str]) -> None:
    """Replace the definitions of these tables and of their indexes. Raises SourceError."""
    with open(copy, "r+b") as file:
        # No -wal is wanted beside the copy.
        file.seek(_FILE_FORMAT)
        file.write(_ROLLBACK_JOURNAL)
    with opened(copy, lock_wait=0) as connection, sqlite_errors_translated():
        lenient(connection, yes=True)
        connection.execute("PRAGMA journal_mode = OFF").fetchall()
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for table in tables:
            _replace(connection, table)
        connection.execute("COMMIT")


def _replace(connection: Connection, table: str) -> None:
    entries = connection.execute(
        "SELECT rowid, type, name, rootpage FROM sqlite_schema"
        " WHERE tbl_name = ? AND type IN ('table', 'index')",
        (table,),
    ).fetchall()
    for number, (rowid, kind, _, root) in enumerate(entries):
        if not root:
            connection.execute("DELETE FROM sqlite_schema WHERE rowid = ?", (rowid,))
        elif kind == "table":
            key = " PRIMARY KEY) WITHOUT ROWID" if _is_index_tree(connection, root) else ")"
            sql = f"CREATE TABLE {_quoted(table)} ({_COLUMN}{key}"
            connection.execute("UPDATE sqlite_schema SET sql = ? WHERE rowid = ?", (sql, rowid))
        else:
            # An automatic index is defined by its table, which is replaced. A partial index may
            # lack rows, so none that are missing are reported.
            name = f"stand-in {rowid} {number}"
            sql = (
                f"CREATE INDEX {_quoted(name)} ON {_quoted(table)} ({_COLUMN})"
                f" WHERE {_COLUMN} IS NOT NULL"
            )
            connection.execute(
                "UPDATE sqlite_schema SET name = ?, sql = ? WHERE rowid = ?", (name, sql, rowid)
            )


def _is_index_tree(connection: Connection, root: int) -> bool:
    page = page_of(connection, root)
    return page is not None and page[0] in _TREES_OF_INDEXES


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
