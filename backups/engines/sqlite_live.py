"""Opening a database that other users' programs use, so that nothing is left in their way.

Which files SQLite would make beside it is found out before SQLite can make them; see
`sqlite_ownership`. Where others could not use them, a database in WAL mode is read past SQLite's
locks while it is at rest (`sqlite_rest`), or refused, with what can be done about it.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from backups.engines.fence import fenced
from backups.engines.sqlite_beside import check_beside, check_opened_beside
from backups.engines.sqlite_connection import (
    CORRUPT,
    NOT_A_DATABASE,
    Connection,
    SqliteError,
    lenient,
    opened,
    result_code,
    source_error,
    value,
)
from backups.engines.sqlite_locks import journal_kept, lock_all_of_shm
from backups.engines.sqlite_ownership import JOURNAL, SHM, WAL, Beside
from backups.engines.sqlite_place import Admit, connected
from backups.engines.sqlite_rest import AtRest
from backups.errors import DatabaseBusy, DatabaseUnreachable, SourceError

logger = logging.getLogger(__name__)

REMEDY = "run Savepoint as the database's owner, or see 'Which user' in docs/configuration.md"
NO_FOLDER = (
    "Savepoint's user may not write the folder of the database, where SQLite needs files beside it;"
    f" {REMEDY}"
)
ONLY_READ = (
    "Savepoint's user may read the database but not write it, and what SQLite would leave beside it"
    f" then would be in the way of its own programs; {REMEDY}"
)
IN_THE_WAY = (
    "the database is another user's, whose programs could not use the files that SQLite would make"
    f" beside it for Savepoint's user; {REMEDY}"
)
NOT_WRITABLE = f"Savepoint's user may not write the database; nothing was changed; {REMEDY}"
OTHERS_FILES = (
    "Savepoint's user may not use the files that the database's own programs keep beside it;"
    f" {REMEDY}"
)
CHANGES_WAIT = (
    "a program was killed while it wrote the database, and Savepoint's user may not undo what it"
    " began; open the database with one of its own programs once"
)
_OWN_FILE = (
    "give the database a file of its own while no program uses it: copy it, and move the copy over"
    " it"
)
SEVERAL_NAMES = (
    "the database's file has another name (a hard link), and what is written by one name also"
    f" changes what stands by the other; nothing was changed; {_OWN_FILE}"
)
READ_BY_OTHERS = (
    "the database's file has another name (a hard link), by which programs may write it unseen;"
    f" {_OWN_FILE}"
)
WRITTEN_BY_OTHERS = (
    "the database's file has another name (a hard link), and changes by that name wait beside it;"
    f" {_OWN_FILE}"
)


@contextmanager
def opened_to_read(
    path: Path, *, lock_wait: float, admit: Admit, private: bool = False
) -> Iterator[tuple[Connection, AtRest | None]]:
    """A connection to an existing database that is only read; `lock_wait` is in seconds.
    `private`: the file is Savepoint's own, and nobody else has it open. `admit`: see `connected`.

    Where it comes with an `AtRest`, it is immutable, and what was read by it is true if that says
    so afterwards. Raises SourceError.
    """
    with ExitStack() as stack:
        connecting = partial(connected, path, admit)
        if not private:
            check_beside(path)
        connection = stack.enter_context(
            opened(path, lock_wait=lock_wait, immutable=private, connecting=connecting)
        )
        if private:
            yield connection, None
            return
        beside = Beside(path)
        names = beside.other_names()
        # Beside a database in WAL mode a journal would be ours.
        if _is_simple(beside) and names is None and beside.found(JOURNAL) is None:
            yield connection, None
            return
        reason = _prepared_to_read(connection, beside, lock_wait, names)
        if not reason:
            with _reason_of_rollback(beside):
                yield connection, None
            return
        stack.close()
        rest = AtRest(beside, patience=lock_wait, otherwise=reason)
        connection = stack.enter_context(
            opened(path, lock_wait=lock_wait, immutable=True, connecting=connecting)
        )
        try:
            yield connection, rest
        except SourceError:
            rest.check()  # a file that changed meanwhile explains the error better
            raise


@contextmanager
def opened_to_write(
    path: Path, *, lock_wait: float, admit: Admit, alone: bool = False
) -> Iterator[tuple[Connection, Beside]]:
    """A connection to an existing database that is written to; `lock_wait` is in seconds.

    In a rollback-journal mode the journal has to be placed before the first write, when nobody
    else can write any more: `Beside.place`. `alone`: the database is taken out of WAL mode.
    `admit`: see `connected`. Raises SourceError, with nothing changed.
    """
    check_beside(path)
    connecting = partial(connected, path, admit)
    with opened(path, lock_wait=lock_wait, connecting=connecting) as connection:
        beside = Beside(path)
        if beside.other_names() is not None:
            raise DatabaseUnreachable(SEVERAL_NAMES)
        if not _is_simple(beside):
            try:
                _prepare_to_write(connection, beside, lock_wait, alone=alone)
            except DatabaseBusy as busy:
                raise DatabaseBusy(f"{busy.reason}; nothing was changed") from busy
        yield connection, beside


def place_journal(connection: Connection, beside: Beside) -> None:
    """Have the right journal there, in a transaction that keeps all others out. Raises SourceError,
    and SQLite's own errors."""
    if not beside.plain and value(connection, "PRAGMA journal_mode") != "wal":
        if not beside.usable:  # it was in WAL mode a moment ago
            raise DatabaseUnreachable(IN_THE_WAY)
        beside.place([JOURNAL])


def _is_simple(beside: Beside) -> bool:
    """Whether all goes as it does for the database's own programs."""
    return beside.plain and beside.allows(os.R_OK | os.W_OK) and beside.folder_allows()


def _prepared_to_read(
    connection: Connection, beside: Beside, lock_wait: float, names: list[Path] | None
) -> str:
    """Prepare to read through SQLite. Returns why that is impossible; "" if it is possible.

    `names`: see `Beside.other_names`. SQLite finds a -wal, -shm and -journal by the name of the
    database, so a program that opened another name is noticed by its locks only, and in WAL
    mode not at all.
    """
    with journal_kept(beside.path, lock_wait) as wal:
        if names is not None:
            logger.warning("%s has other names (hard links)", beside.path)
            if any(_holds_changes(Beside(name)) for name in names):
                raise DatabaseUnreachable(WRITTEN_BY_OTHERS)
            if wal and not _holds_changes(beside):
                return READ_BY_OTHERS
        if not wal:
            return ""  # only writers make a journal
        _mend(beside)
        missing = beside.missing((WAL, SHM))
        if missing:
            reason = _reason_against_making(beside)
            if reason:
                return reason
            beside.place(missing)
        elif not (beside.allows(os.R_OK, WAL) and beside.allows(os.R_OK, SHM)):
            return OTHERS_FILES
        _take_hold(connection, beside)
    return ""


def _prepare_to_write(
    connection: Connection, beside: Beside, lock_wait: float, *, alone: bool
) -> None:
    if not beside.allows(os.R_OK | os.W_OK):
        raise DatabaseUnreachable(NOT_WRITABLE)
    with journal_kept(beside.path, lock_wait) as wal:
        if wal:
            _mend(beside)
        needed = (WAL, SHM) if wal else (JOURNAL,)
        missing = beside.missing(needed)
        if missing or alone or not wal:
            reason = _reason_against_making(beside)
            if reason:
                raise DatabaseUnreachable(reason)
        for suffix in needed:
            if suffix in missing:
                continue
            if not beside.allows(os.R_OK | os.W_OK, suffix):
                raise DatabaseUnreachable(OTHERS_FILES)
            if (alone or not wal) and not beside.may_delete(suffix):
                raise DatabaseUnreachable(OTHERS_FILES)
        if not wal:
            return
        # A connection that is alone has no -shm.
        beside.place([suffix for suffix in missing if not (alone and suffix == SHM)])
        if not alone:
            _take_hold(connection, beside)


def _holds_changes(beside: Beside) -> bool:
    """Whether a -wal or -journal is there with anything in it."""
    wal = beside.found(WAL)
    return bool(wal is not None and wal.st_size) or beside.is_hot()


def _reason_against_making(beside: Beside) -> str:
    if not beside.folder_allows():
        return NO_FOLDER
    if not beside.allows(os.R_OK | os.W_OK):
        return ONLY_READ  # nor could it remove them
    return "" if beside.usable else IN_THE_WAY


def _take_hold(connection: Connection, beside: Beside) -> None:
    """Have SQLite open the files beside the database, and lock it as all who use it do."""
    lenient(connection, yes=True)
    try:
        fenced(
            beside.path.parent,
            lambda: connection.execute("PRAGMA schema_version").fetchall(),
        )
        check_opened_beside(beside.path)
    except SqliteError as error:
        # Whoever reads next finds the damage, and reports it.
        if result_code(error) not in (CORRUPT, NOT_A_DATABASE):
            raise source_error(error) from error
    lenient(connection, yes=False)


def _mend(beside: Beside) -> None:
    """Give what an earlier process of this user left beside a database in WAL mode the right owner
    and group; where that can't be, remove it if nobody uses it and nothing is in it.

    What stays is removed by SQLite at the end, if this process may write the database.
    """
    if beside.found(JOURNAL) is not None and beside.may_delete(JOURNAL) and not beside.is_hot():
        # Of a restore that was killed when it had changed the page size. In WAL mode, which nobody
        # can leave now, no program has a journal.
        with suppress(OSError):
            os.unlink(beside.file(JOURNAL))
    unfit = [suffix for suffix in (WAL, SHM) if beside.unfit(suffix)]
    if not unfit:
        return
    try:
        if beside.usable and beside.allows(os.W_OK):
            for suffix in unfit:
                beside.mend(suffix)
        elif not beside.allows(os.W_OK):
            _remove_unused(beside)
    except OSError as error:
        raise DatabaseUnreachable(
            f"what an earlier process left beside the database can't be mended: {error.strerror}"
        ) from error


def _remove_unused(beside: Beside) -> None:
    wal, shm = beside.found(WAL), beside.found(SHM)
    if shm is None or not beside.unfit(SHM) or (wal is not None and wal.st_size):
        return
    descriptor = os.open(beside.file(SHM), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        lock_all_of_shm(descriptor)
        for suffix in (WAL, SHM):
            if beside.unfit(suffix):
                os.unlink(beside.file(suffix))
    except BlockingIOError:
        return  # in use, by a process of this user that will end
    finally:
        os.close(descriptor)


@contextmanager
def _reason_of_rollback(beside: Beside) -> Iterator[None]:
    """Say why a database can't be read whose last writer was killed."""
    try:
        yield
    except DatabaseUnreachable as error:
        journal = beside.found(JOURNAL)
        if journal is None or not journal.st_size or beside.allows(os.W_OK):
            raise
        raise DatabaseUnreachable(CHANGES_WAIT) from error
