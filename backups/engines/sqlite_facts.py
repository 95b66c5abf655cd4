"""What a SQLite database says about itself, taken inside the snapshot's own transaction.

All of it is bounded, whatever the database holds: facts stand beside each version, also in lists.
What they leave out is in the version itself.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from backups.engines.sqlite_check import Checked, check
from backups.engines.sqlite_connection import (
    CORRUPT,
    INTERRUPTED,
    IO_ERROR,
    Connection,
    SqliteError,
    lenient,
    own_words,
    page_of,
    result_code,
    source_error,
    sqlite_errors_translated,
    value,
)
from backups.engines.sqlite_header import Header
from backups.errors import DatabaseDamaged, NotADatabase, SourceError
from backups.facts import DAMAGE, NOT_YET, STRUCTURE_CHECKED, UNCHECKED

MOST_TABLES = 500
LONGEST_NAME = 200  # bytes
MOST_BYTES = 1 << 14  # of all names together
_COUNT_SECONDS = 1.0
# Often enough to keep to the time: some hundredths of a second for so many pages.
_STEPS = 20_000

_SETTINGS = (
    "journal_mode",
    "encoding",
    "auto_vacuum",
    "user_version",
    "application_id",
    "schema_version",
)
# Virtual tables have no root page; counting them would need their module. A name with NUL is let
# be by SQLite, but no query can name it.
_COUNTED = (
    "type = 'table' AND rootpage > 0 AND typeof(name) = 'text'"
    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND instr(name, char(0)) = 0"
)
# SQLite likes to count by an index, and its own function in the index's WHERE may choose other rows
# than the application's does.
_WITH_FUNCTIONS = "SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'index' AND sql LIKE ?"


class _OutOfTime(Exception):
    pass


def database_facts(connection: Connection, *, budget: float) -> dict[str, Any]:
    """Settings, and the row count of each ordinary table, of the first so many.

    A count is None for tables that were not counted within `budget` seconds in all, or that
    cannot be counted: facts are a help for the reader and never a reason to fail. If the end of the
    file is missing, that is a fact too: damage. Raises SQLite's own error if a count meets damage,
    or has ended the transaction.
    """
    facts: dict[str, Any] = {name: value(connection, f"PRAGMA {name}") for name in _SETTINGS}
    facts |= _of_first_page(connection)
    names, more = _table_names(connection)
    facts["tables"] = _row_counts(connection, names, budget)
    if more:
        facts["tables_more"] = more
    return facts


def examined_facts(
    connection: Connection,
    *,
    check_seconds: float,
    keep_damaged: bool,
    tick: Callable[[], None],
    checked: Checked | None = None,
) -> dict[str, Any]:
    """The database's facts, after a look for damage of at most `check_seconds`, or what came out
    of an earlier one.

    Damage is a fact of what is kept `keep_damaged`; else it raises DatabaseDamaged. What could not
    be found out is a fact too. Raises other SourceErrors where the disk fails, and what `tick`
    raises, which is called on the way.
    """
    lenient(connection, yes=True)
    facts = _told_facts(connection)
    if checked is None:
        checked = _checked(connection, check_seconds, tick)
    found = checked.facts()
    if DAMAGE in found:
        facts.pop(DAMAGE, None)  # the check says more of it
    facts = found | facts
    if DAMAGE in facts:
        facts[STRUCTURE_CHECKED] = False
    if DAMAGE in facts and not keep_damaged:
        raise DatabaseDamaged(facts[DAMAGE])
    return facts


def _told_facts(connection: Connection) -> dict[str, Any]:
    try:
        return database_facts(connection, budget=_COUNT_SECONDS)
    except SqliteError as error:
        if result_code(error) == IO_ERROR:
            raise source_error(error) from error
        found = source_error(error)
        if isinstance(found, (DatabaseDamaged, NotADatabase)):
            return {STRUCTURE_CHECKED: False, DAMAGE: found.reason}
        return {STRUCTURE_CHECKED: False, UNCHECKED: f"the tables: {own_words(error)}"}
    except MemoryError:
        return {STRUCTURE_CHECKED: False, UNCHECKED: "the tables, which take too much memory"}


def _checked(connection: Connection, seconds: float, tick: Callable[[], None]) -> Checked:
    """What SQLite finds within so many seconds."""
    deadline = time.monotonic() + seconds

    def tick_in_time() -> None:
        tick()
        if time.monotonic() > deadline:
            raise _OutOfTime

    found = Checked()
    if seconds <= 0:
        found.rest = f"{NOT_YET}a verification checks all of it"
        return found
    try:
        with sqlite_errors_translated(), _interrupted_after(connection, seconds):
            check(connection, tick_in_time, thorough=False, steps=_STEPS, into=found)
        return found
    except _OutOfTime:
        pass
    except SourceError as error:
        # The interrupt may come a moment before the deadline, or between two statements.
        if not isinstance(error.__cause__, Exception) or (
            result_code(error.__cause__) != INTERRUPTED
        ):
            raise
    found.rest = (
        f"{NOT_YET}the check ended after {seconds:g} seconds; a verification checks all of it"
    )
    return found


@contextmanager
def _interrupted_after(connection: Connection, seconds: float) -> Iterator[None]:
    """Interrupt what the connection does then: by that it stops at the next row, and by a progress
    handler after so many steps, however long the expressions of the schema make these."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _of_first_page(connection: Connection) -> dict[str, Any]:
    """The SQLite that wrote the database last, and whether its end is missing."""
    page = page_of(connection, 1)
    if page is None:
        return {}
    facts: dict[str, Any] = {}
    header, pages = Header(page), value(connection, "PRAGMA page_count")
    if number := header.writer:
        version = f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
        facts["written_by"] = version
    if header.pages_told > pages:
        facts[DAMAGE] = (
            f"the database is damaged: it ends after {pages} of {header.pages_told} pages"
        )
    return facts


def _table_names(connection: Connection) -> tuple[list[str], int]:
    """The names that are kept, in order, and how many more there are."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    told: list[str] = []
    room = MOST_BYTES
    names = connection.execute(
        f"SELECT name, octet_length(name) FROM sqlite_schema WHERE {_COUNTED}"  # noqa: S608
        " AND octet_length(name) <= ? ORDER BY name LIMIT ?",
        (LONGEST_NAME, MOST_TABLES),
    )
    for name, length in names:
        room -= length
        if room < 0:
            break
        told.append(name)
    count: int = value(connection, f"SELECT count(*) FROM sqlite_schema WHERE {_COUNTED}")  # noqa: S608
    return told, count - len(told)


def _row_counts(connection: Connection, names: list[str], budget: float) -> dict[str, int | None]:
    counts: dict[str, int | None] = dict.fromkeys(names)
    by_function = {table for (table,) in connection.execute(_WITH_FUNCTIONS, ("%(%(%",))}
    deadline = time.monotonic() + budget
    held = connection.in_transaction
    # An interrupt, not a progress handler: a count is one instruction and never calls it.
    with _interrupted_after(connection, budget):
        for name in names:
            if time.monotonic() >= deadline:
                break
            quoted = '"' + name.replace('"', '""') + '"'
            way = " NOT INDEXED" if name in by_function else ""
            try:
                counts[name] = value(connection, f"SELECT count(*) FROM {quoted}{way}")  # noqa: S608
            except SqliteError as error:
                lost = held and not connection.in_transaction
                if lost or result_code(error) in (CORRUPT, IO_ERROR):
                    raise
                continue  # interrupted, or it takes what SQLite lacks
    return counts
