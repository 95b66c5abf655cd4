"""Opening a project's SQLite file, and SQLite's errors in our terms.

A process opens such a file with this library only, and never by open(): closing any other
descriptor of it would drop SQLite's POSIX locks, and commits of other processes would be lost.
"""

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlean

from backups.engines.fence import interrupted
from backups.errors import (
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseFull,
    DatabaseMissing,
    DatabaseUnreachable,
    NotADatabase,
    SourceError,
)

Connection = Any

SQLITE_VERSION: str = sqlean.sqlite_version
# The driver fails with the second where SQLite's own message has a name in it that is no UTF-8.
SqliteError: tuple[type[Exception], ...] = (sqlean.Error, UnicodeDecodeError)

_LOCK_POLL = 0.001
# For all connections of the process together: schemas make SQLite make values, up to a gigabyte
# each.
_MEMORY = 1 << 28
_SETTINGS = (
    f"PRAGMA hard_heap_limit = {_MEMORY}",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
)

# Primary result codes, see https://www.sqlite.org/rescode.html
GENERAL_ERROR = 1
BUSY, LOCKED, READ_ONLY, INTERRUPTED, IO_ERROR, CORRUPT = 5, 6, 8, 9, 10, 11
FULL, CANT_OPEN, NOT_A_DATABASE = 13, 14, 26

_REASONS: dict[int, tuple[type[SourceError], str]] = {
    BUSY: (DatabaseBusy, "the database is locked by another process"),
    LOCKED: (DatabaseBusy, "the database is locked by another process"),
    NOT_A_DATABASE: (NotADatabase, "the file is not a SQLite database"),
    FULL: (DatabaseFull, "no room is left where the database lives"),
    CANT_OPEN: (DatabaseUnreachable, "the database cannot be opened"),
    READ_ONLY: (DatabaseUnreachable, "the database cannot be written"),
    IO_ERROR: (DatabaseUnreachable, "the disk of the database failed to read or write"),
}
_LONGEST_WORDS = 300


def result_code(error: Exception) -> int:
    """SQLite's primary result code of an error; 0 for one of the driver's own."""
    if isinstance(error, UnicodeDecodeError):
        return CORRUPT if is_of_schema(error) else GENERAL_ERROR
    return int(getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def is_of_schema(error: Exception) -> bool:
    """Whether an error of SQLite's, of damage, is about how an entry of the schema reads: perhaps
    a newer SQLite has written it."""
    return _text_of(error).startswith("malformed database schema (")


def _text_of(said: object) -> str:
    if isinstance(said, UnicodeDecodeError):
        return said.object.decode("utf-8", "replace")
    return str(said)


def own_words(said: object) -> str:
    """What SQLite says, on one line and not too long: names in it are the database's."""
    words = " ".join(_text_of(said).split())
    return words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS]}..."


def source_error(error: Exception) -> SourceError:
    """The failure that a SQLite error stands for, by its result code."""
    code = result_code(error)
    if code == CORRUPT:
        return DatabaseDamaged(f"the database is damaged; SQLite reports: {own_words(error)}")
    if code in _REASONS:
        kind, reason = _REASONS[code]
        return kind(reason)
    return DatabaseUnreachable(f"SQLite reports: {own_words(error)}")


@contextmanager
def sqlite_errors_translated() -> Iterator[None]:
    """Turns SQLite's errors into SourceError; every other exception passes untouched."""
    try:
        yield
    except SqliteError as error:
        raise source_error(error) from error
    except MemoryError as error:
        raise DatabaseUnreachable(
            "SQLite needs more memory for the database than it is given"
        ) from error


def database_exists(path: Path) -> bool:
    """Whether a regular file stands at `path`.

    Raises NotADatabase when it is something else, DatabaseUnreachable when it cannot be looked at.
    """
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise DatabaseUnreachable(f"the database cannot be reached: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise NotADatabase("what stands at the database's address is not a file")
    return True


@contextmanager
def opened(
    path: Path,
    *,
    lock_wait: float,
    immutable: bool = False,
    connecting: Callable[[Callable[[], Connection]], Connection] = lambda connect: connect(),
) -> Iterator[Connection]:
    """A connection to an existing database; never makes one. `lock_wait` is in seconds.

    `immutable` is for files of our own that nobody writes: no locks, no -wal or -shm beside.
    `connecting` is given what makes the connection, and gives it. Raises SourceError.
    """
    if not database_exists(path):
        raise DatabaseMissing("there is no database at the project's address")
    options = "mode=ro&immutable=1" if immutable else "mode=rw"
    uri = f"file:{quote(os.fsencode(os.path.abspath(path)))}?{options}"
    # One thread at a time uses it, not always the same.
    connect = partial(sqlean.connect, uri, uri=True, isolation_level=None, check_same_thread=False)
    with sqlite_errors_translated():
        connection = connecting(connect)
    patience = _Patience(lock_wait)
    connection.set_busy_handler(patience)
    try:
        for setting in _SETTINGS:
            connection.execute(setting).fetchall()
        yield connection
    except Exception as error:
        if patience.interruption is not None:
            raise patience.interruption from error
        raise
    finally:
        connection.close()  # rolls back what is open


class _Patience:
    """A connection's busy handler: whether to try a lock again.

    SQLite's own handler soon sleeps for 100 ms at a time, and hardly ever finds the gap between
    two transactions of a program that writes without a pause.
    """

    def __init__(self, lock_wait: float) -> None:
        self._lock_wait = lock_wait
        self._deadline = 0.0
        self.interruption: BaseException | None = None

    def __call__(self, tries: int) -> bool:
        try:
            if tries == 0:
                self._deadline = time.monotonic() + self._lock_wait
            time.sleep(_LOCK_POLL)
            return time.monotonic() < self._deadline and not interrupted()
        except BaseException as error:  # raised by a signal; SQLite can't pass it on itself
            self.interruption = error
            return False


def lenient(connection: Connection, *, yes: bool) -> None:
    """Whether the connection opens a database whose end or whose schema is damaged.

    Off, the schema is read anew when it is needed, and its faults are errors.
    """
    connection.execute(f"PRAGMA writable_schema = {'ON' if yes else 'RESET'}")


def read_schema(connection: Connection) -> None:
    """Have the schema read now, before a transaction, in which its damage would be in the way."""
    connection.execute("SELECT 1 FROM sqlite_dbpage WHERE pgno = 0").fetchall()


def page_of(connection: Connection, number: int) -> bytes | None:
    """A page by its number, counted from 1; None if there is none."""
    query = "SELECT data FROM sqlite_dbpage WHERE pgno = ?"
    row: tuple[bytes] | None = connection.execute(query, (number,)).fetchone()
    return row[0] if row else None


def value(connection: Connection, query: str) -> Any:
    """The first column of the first row that `query` gives."""
    return connection.execute(query).fetchone()[0]
