"""SQLite's own check of a database, as far as it gets, and its result.

The check of the whole database stops at the first thing that SQLite does not know, before or after
it has looked at the pages. So an application's collations and functions get stand-ins that do
nothing; they are noted, since SQLite can't judge what depends on them. If that is not enough, the
tables are checked one by one, and those that can't be checked are reported. CHECK constraints are
never evaluated: they are the application's, and SQLite now refuses some that it accepted when they
were made.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from backups.engines.sqlite_connection import (
    CORRUPT,
    INTERRUPTED,
    IO_ERROR,
    SQLITE_VERSION,
    Connection,
    SqliteError,
    is_of_schema,
    lenient,
    own_words,
    result_code,
    source_error,
)
from backups.engines.sqlite_findings import Classifier, Kind, called_in
from backups.engines.sqlite_guards import guard
from backups.errors import DatabaseUnreachable
from backups.facts import CHECKED_BY, DAMAGE, STRUCTURE_CHECKED, UNCHECKED, VALUES

_STEPS_BETWEEN_TICKS = 100_000
_MOST_FINDINGS = 10_000
# What SQLite gives at most when it is asked about one table.
_MOST_OF_A_TABLE = 100
_MOST_TOLD = 5
# SQLite's words for SQLITE_CORRUPT.
_CORRUPT_WORDS = "database disk image is malformed"
# What is proved by so many findings needs no more.
_ENOUGH_DAMAGE = 20
# Bytes of a function's name; see sqlite3_create_function.
_LONGEST_FUNCTION = 255
# Longer definitions than this are not searched for names.
_LONGEST_SQL = 1 << 20
_MODULE = re.compile(r"\bUSING\s{1,99}+(\w{1,255}+)", re.IGNORECASE)
_COLLATE = re.compile(
    r"\bCOLLATE\s{1,99}+(?:\"([^\"]{1,255}+)\"|'([^']{1,255}+)'|\[([^\]]{1,255}+)\]|(\w{1,255}+))",
    re.IGNORECASE,
)


@dataclass
class Checked:
    """What a check found. `by`: what looked. `structure`: all pages, trees and free pages were
    looked at; else `rest` says what was not, beside `skipped`: tables that SQLite can't check, and
    why."""

    by: str = ""
    structure: bool = False
    damage: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    rest: str = ""

    def facts(self) -> dict[str, Any]:
        """The same as facts of a version; see `backups.facts`."""
        facts: dict[str, Any] = {STRUCTURE_CHECKED: self.structure and not self.damage}
        if self.by:
            facts[CHECKED_BY] = self.by
        if self.damage:
            facts[DAMAGE] = f"SQLite finds damage: {_told(self.damage)}"
        if unchecked := self._all_unchecked():
            facts[UNCHECKED] = _told(unchecked)
        if self.values:
            facts[VALUES] = [own_words(text) for text in self.values[:_MOST_TOLD]]
            if (more := len(self.values) - _MOST_TOLD) > 0:
                facts[VALUES].append(f"and {more} more")
        return facts

    def _all_unchecked(self) -> list[str]:
        tables = [
            f"table {name}: SQLite can't check it, perhaps for want of something of the"
            f" application's ({words})"
            for name, words in self.skipped.items()
        ]
        return [
            *tables,
            *self.unchecked,
            *([self.rest] if self.rest and not self.structure else []),
        ]


def _told(texts: list[str]) -> str:
    told = "; ".join(own_words(text) for text in texts[:_MOST_TOLD])
    more = len(texts) - _MOST_TOLD
    return f"{told}; and {more} more" if more > 0 else told


def check(
    connection: Connection,
    tick: Callable[[], None],
    *,
    thorough: bool,
    steps: int = _STEPS_BETWEEN_TICKS,
    into: Checked | None = None,
) -> Checked:
    """Let SQLite look for damage: in all of the structure and, if `thorough`, for whether each
    index holds what its table does.

    The connection is left lenient. `tick` is called every `steps` steps of SQLite's; what it raises
    stops the check and is passed on, and `into` then holds what was found so far.
    Raises DatabaseUnreachable where the disk fails, and other SourceErrors.
    """
    found = into if into is not None else Checked()
    lenient(connection, yes=True)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    # Or what stands in for functions is refused.
    connection.execute("PRAGMA trusted_schema = ON")
    pragma = "integrity_check" if thorough else "quick_check"
    found.by = f"SQLite {SQLITE_VERSION}: {pragma}, without CHECK constraints and foreign keys"
    with _ticking(connection, tick, steps):
        _Check(connection, pragma, found).run()
    return found


@contextmanager
def _ticking(connection: Connection, tick: Callable[[], None], steps: int) -> Iterator[None]:
    raised: list[BaseException] = []

    def stop() -> int:
        try:
            tick()
        except BaseException as error:
            raised.append(error)  # SQLite's callback can't pass it on itself
            return 1
        return 0

    connection.set_progress_handler(stop, steps)
    text_factory = connection.text_factory
    connection.text_factory = _decoded
    try:
        yield
    except SqliteError as error:
        if not raised and result_code(error) == INTERRUPTED:
            stop()  # by another way; it knows why
        if raised:
            raise raised[0] from None
        raise source_error(error) from error
    except MemoryError as error:
        raise DatabaseUnreachable("SQLite's check takes too much memory") from error
    finally:
        connection.text_factory = text_factory
        connection.set_progress_handler(None, 0)


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


class _Check:
    """One run of the check over one database."""

    def __init__(self, connection: Connection, pragma: str, found: Checked) -> None:
        self._connection = connection
        self._pragma = pragma
        self._found = found
        self._classifier = Classifier(connection)
        self._told: set[str] = set()
        self._called: set[str] = set()
        self._undecided: set[str] = set()
        self._corrupt = ""
        self._unread = False

    def run(self) -> None:
        with closing(guard(self._connection, self._undecided.add)):
            self._run()

    def _run(self) -> None:
        self._note_unread_schema()
        collations = self._stand_in()
        self._found.structure = self._whole()
        if not self._found.structure and not self._found.damage:
            self._table_by_table()
        for name in sorted(self._called):
            self._note(f"what depends on the function {name}(), which SQLite does not have")
        for name in sorted(self._undecided):
            self._note(f"what the function {name}() makes of long values, as that may take long")
        if collations:
            self._note(
                "the order by collations that SQLite does not have:"
                f" {', '.join(collations[:_MOST_TOLD])}"
                + (f" and {more} more" if (more := len(collations) - _MOST_TOLD) > 0 else "")
            )
        for name, module in self._without_module():
            self._note(f"virtual table {name}: SQLite does not have its module {module}")

    def _whole(self) -> bool:
        """Whether the check of all came to its end."""
        try:
            rows = self._rows(f"PRAGMA {self._pragma}({_MOST_FINDINGS})")
        except _Stopped as stopped:
            self._corrupt = str(stopped) if stopped.corrupt else ""
            return False
        return rows < _MOST_FINDINGS

    def _table_by_table(self) -> None:
        of_virtual = False
        for name, virtual in (("sqlite_schema", False), *self._tables()):
            quoted = '"' + name.replace('"', '""') + '"'
            try:
                if self._rows(f"PRAGMA {self._pragma}({quoted})") >= _MOST_OF_A_TABLE:
                    self._note(f"the rest of table {name}: its check ended after many findings")
            except _Stopped as stopped:
                if not stopped.corrupt:
                    self._found.skipped[name] = str(stopped)
                elif virtual:
                    # What its module makes of it; it has no pages of its own.
                    of_virtual = True
                    self._add(self._found.values, f"the virtual table {name}: {stopped}")
                else:
                    self._add(self._found.damage, f"table {name}: {stopped}")
        if self._corrupt and not self._found.damage and not of_virtual:
            self._add(self._found.damage, self._corrupt)
        self._found.rest = "pages that belong to no table"

    def _rows(self, query: str) -> int:
        """Note what the check finds; returns how many findings there were.

        Raises _Stopped when SQLite meets what it does not know, or damage.
        """
        count = 0
        try:
            for (finding,) in self._connection.execute(query):
                if finding == _CORRUPT_WORDS:
                    # How the check says that it came upon damage in a row, and ends.
                    raise _Stopped(finding, corrupt=True)
                if finding != "ok":
                    count += 1
                    self._sort(finding)
                if len(self._found.damage) >= _ENOUGH_DAMAGE:
                    break
        except SqliteError as error:
            code = result_code(error)
            if code in (INTERRUPTED, IO_ERROR):
                raise
            raise _Stopped(own_words(error), corrupt=code == CORRUPT) from error
        except SystemError as error:
            # The driver can't hand a text that is no UTF-8 to a collation that stands in.
            raise _Stopped("texts that are no UTF-8", corrupt=False) from error
        except MemoryError as error:
            raise _Stopped("it takes too much memory", corrupt=False) from error
        return count

    def _sort(self, finding: str) -> None:
        for kind, text in self._classifier.classified(finding):
            match kind:
                case Kind.DISK:
                    raise DatabaseUnreachable("the disk of the database failed to read")
                case Kind.STRUCTURE:
                    self._add(self._found.damage, text)
                case Kind.VALUES:
                    # Or it may be the work of what stands in for a function.
                    if not self._called | self._undecided:
                        self._add(self._found.values, text)
                case Kind.UNCHECKED:
                    self._note(text)
                case Kind.UNUSED:
                    # Room is lost, and nothing else. Or it belongs to what can't be read.
                    if not self._unread:
                        self._add(self._found.values, text)

    def _add(self, texts: list[str], text: str) -> None:
        words = own_words(text)  # a name in it may be as long as the database
        if words not in self._told:
            self._told.add(words)
            texts.append(words)

    def _note(self, text: str) -> None:
        self._add(self._found.unchecked, text)

    def _note_unread_schema(self) -> None:
        """Note an entry of the schema that SQLite can't read. SQLite skips it from then on."""
        lenient(self._connection, yes=False)
        try:
            self._connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
        except SqliteError as error:
            if result_code(error) != CORRUPT:
                raise
            if is_of_schema(error):
                self._unread = True
                self._note(unread_schema(error))
            else:
                self._add(self._found.damage, own_words(error))
        finally:
            lenient(self._connection, yes=True)

    def _tables(self) -> list[tuple[str, bool]]:
        """The names of the tables, and whether each is virtual."""
        try:
            rows = self._connection.execute(
                "SELECT name, coalesce(rootpage, 0) = 0 FROM sqlite_schema"
                " WHERE type = 'table' AND typeof(name) = 'text' AND octet_length(name) < 1000"
            ).fetchall()
        except SqliteError as error:
            if result_code(error) != CORRUPT:
                raise
            self._add(self._found.damage, own_words(error))
            return []
        # A number would be taken for how many findings are wanted.
        return [
            (name, bool(virtual))
            for name, virtual in rows
            if "\0" not in name and not name.strip("+-").isdigit()
        ]

    def _without_module(self) -> list[tuple[str, str]]:
        """Virtual tables whose module SQLite lacks, and so passes over without a word."""
        try:
            modules = {
                name.lower()
                for (name,) in self._connection.execute("SELECT name FROM pragma_module_list")
            }
            rows = self._connection.execute(
                "SELECT name, substr(sql, 1, 2000) FROM sqlite_schema WHERE type = 'table'"
                " AND coalesce(rootpage, 0) = 0 AND typeof(name) = 'text' AND typeof(sql) = 'text'"
            ).fetchall()
        except SqliteError as error:
            if result_code(error) in (INTERRUPTED, IO_ERROR):
                raise
            return []
        used = [(name, _MODULE.search(sql)) for name, sql in rows]
        return [
            (name, module[1])
            for name, module in used
            if module and module[1].lower() not in modules
        ]

    def _stand_in(self) -> list[str]:
        """Let SQLite know the functions and collations that the schema names and it lacks.

        Returns the collations.
        """
        connection = self._connection
        known = {name for (name,) in connection.execute("SELECT name FROM pragma_function_list")}
        functions: dict[str, None] = {}
        collations: dict[str, str] = {}
        try:
            for (sql,) in connection.execute(
                "SELECT sql FROM sqlite_schema WHERE octet_length(sql) < ?"
                " AND typeof(sql) = 'text' AND type IN ('table', 'index')",
                (_LONGEST_SQL,),
            ):
                functions |= dict.fromkeys(name.lower() for name in called_in(sql))
                for parts in _COLLATE.findall(sql):
                    name = next(filter(None, parts))
                    collations.setdefault(name.upper(), name)
        except SqliteError as error:
            if result_code(error) != CORRUPT:
                raise
            self._add(self._found.damage, own_words(error))
        for name in functions:
            if name not in known and len(name.encode()) <= _LONGEST_FUNCTION:
                connection.create_function(name, -1, self._standing_for(name), deterministic=True)
        lacking = [name for name in collations.values() if not _sorts(connection, name)]
        for name in lacking:
            connection.create_collation(name, _by_bytes)
        return lacking

    def _standing_for(self, name: str) -> Callable[..., None]:
        def called(*values: object) -> None:
            self._called.add(name)

        return called


class _Stopped(Exception):
    """SQLite met what it does not know, or damage; the message is SQLite's own."""

    def __init__(self, words: str, *, corrupt: bool) -> None:
        super().__init__(words)
        self.corrupt = corrupt


def unread_schema(error: Exception) -> str:
    """What to say of such an error."""
    entry = own_words(error).removeprefix("malformed database schema ")
    return (
        f"SQLite {SQLITE_VERSION} can't read a definition in the schema, and a newer one may:"
        f" {entry}"
    )


def _sorts(connection: Connection, collation: str) -> bool:
    """Whether SQLite has this collation; it lists also those that are named and that it lacks."""
    quoted = '"' + collation.replace('"', '""') + '"'
    try:
        connection.execute(f"SELECT 'a' < 'b' COLLATE {quoted}").fetchall()
    except ValueError:
        return True  # a name with NUL can't be asked for, nor be given a stand-in
    except SqliteError as error:
        if result_code(error) in (INTERRUPTED, IO_ERROR):
            raise
        return False
    return True


def _by_bytes(one: str, other: str) -> int:
    return (one > other) - (one < other)
