"""Sorts what SQLite's own check says: what it proves, and what it can't know.

Three classes. *Structure*: broken pages and trees, and indexes that lack what their tables have,
where only SQLite itself can have a say in that. *Values*: rows that break a rule of the schema,
and what a virtual table says of its own content. *Unchecked*: what SQLite can't judge, since it
takes a collation, a function, a tokenizer or a syntax that the application brings along, or may
define otherwise. Findings are told apart by their form, see `integrity_check` in SQLite's source
(pragma.c, and `checkAppendMsg` in btree.c), and by names that the schema has; never by a word.
"""

import re
from collections.abc import Iterator
from enum import Enum

from backups.engines.sqlite_connection import (
    INTERRUPTED,
    IO_ERROR,
    Connection,
    SqliteError,
    result_code,
)

_OF_PAGES = re.compile(
    r"\*\*\* in database |Tree \d+|Page \d+|Freelist: |max rootpage |incremental_vacuum enabled"
    r"|Main freelist: |On tree page |On page |List of tree roots: "
)
_NEVER_USED = re.compile(r"Page \d+(?:: | is )never used")
_NOT_READ = re.compile(r"unable to get the page\. error code=(\d+)")
_OF_INDEX_ORDER = re.compile(
    r"(?:row \d+ missing from index |row \d+ values differ from index "
    r"|rowid not at end-of-record for row \d+ of index )(.*)",
    re.DOTALL,
)
_OF_INDEX_SIZE = re.compile(r"wrong # of entries in index (.*)", re.DOTALL)
_OF_KEY_ORDER = re.compile(r"row not in PRIMARY KEY order for (.*)", re.DOTALL)
_NOT_VALIDATED = re.compile(r"unable to validate the inverted index for FTS\d+ table ")

# Applications replace NOCASE and RTRIM, to know more than ASCII, but not this one.
_FIXED_COLLATIONS = {"BINARY"}
# Functions whose result depends on nothing but their arguments, in every version of SQLite, and
# that no application has a reason to replace. Those that need Unicode do replace lower(), upper()
# and LIKE.
_FIXED_FUNCTIONS = {
    "abs", "coalesce", "hex", "ifnull", "iif", "instr", "length", "max", "min", "nullif", "quote",
    "substr", "substring", "trim", "ltrim", "rtrim", "typeof", "unicode", "unlikely", "likely",
}  # fmt: skip
# Never goes back over what it has read, nor begins inside a name: a schema is others' text.
_CALL = re.compile(r"(?<![\w$\x80-\uffff])([^\W\d][\w$\x80-\uffff]{0,999}+)\s{0,99}+\(")
_REPLACEABLE_OPERATOR = re.compile(r"\b(?:LIKE|GLOB|REGEXP|MATCH)\b|->", re.IGNORECASE)
_PARTIAL = re.compile(r"\bWHERE\b", re.IGNORECASE)
# A function's name may be quoted, and stand apart from its bracket.
_QUOTED_OR_COMMENTED = re.compile(r"[\"\[`]|/\*|--")
_LONGEST_SQL = 1 << 20
_EXPRESSION = -2  # in the place of a column's number
_GENERATED = (2, 3)


class Kind(Enum):
    """What a finding is about; see the module."""

    STRUCTURE = "structure"
    VALUES = "values"
    UNCHECKED = "unchecked"
    UNUSED = "unused"
    DISK = "disk"


class Classifier:
    """Tells the findings about one database apart. Reads its schema where a finding needs that."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._judged: set[str] = set()
        self._known: dict[tuple[str, bool], bool] = {}

    def classified(self, finding: str) -> Iterator[tuple[Kind, str]]:
        """What one row of the check's answer says, line by line where it is about pages."""
        if not _OF_PAGES.match(finding):
            if (found := self._of_rows(finding)) is not None:
                yield found
            return
        for line in finding.splitlines():
            if not line.strip() or line.startswith("*** in database "):
                continue
            if (failed := _NOT_READ.search(line)) and int(failed[1]) & 0xFF == IO_ERROR:
                yield Kind.DISK, line
            elif _NEVER_USED.match(line):
                yield Kind.UNUSED, line
            else:
                yield Kind.STRUCTURE, line

    def _of_rows(self, finding: str) -> tuple[Kind, str] | None:
        if found := _OF_INDEX_SIZE.fullmatch(finding):
            return self._of_index(found[1], finding, order=False)
        if found := _OF_INDEX_ORDER.fullmatch(finding):
            return self._of_index(found[1], finding, order=True)
        if found := _OF_KEY_ORDER.fullmatch(finding):
            return self._of_index(self._primary_index(found[1]) or found[1], finding, order=True)
        if _NOT_VALIDATED.match(finding):
            return Kind.UNCHECKED, finding
        # What is left is about values, in whatever words; or it comes from a virtual table.
        return Kind.VALUES, finding

    def _of_index(self, index: str, finding: str, *, order: bool) -> tuple[Kind, str] | None:
        """The class of a finding about an index; None if it can't be judged, after the first."""
        if (index, order) not in self._known:
            self._known[index, order] = self._is_known(index, order=order)
        if self._known[index, order]:
            return Kind.STRUCTURE, finding
        if index in self._judged:
            return None
        self._judged.add(index)
        return (
            Kind.UNCHECKED,
            f'index {index}: SQLite reports "{finding}", which is no damage if the application'
            " defines its functions or its order itself",
        )

    def _is_known(self, index: str, *, order: bool) -> bool:
        """Whether SQLite alone decides which rows an index has and, with `order`, in what order
        they stand and what it holds of them."""
        try:
            rows = self._connection.execute(
                "SELECT cid, coll, key FROM pragma_index_xinfo(?)", (index,)
            ).fetchall()
            found = self._connection.execute(
                "SELECT tbl_name, sql FROM sqlite_schema WHERE type = 'index' AND name = ?",
                (index,),
            ).fetchone()
            table, sql = found or (None, None)
            generated = {
                number
                for (number,) in self._connection.execute(
                    "SELECT cid FROM pragma_table_xinfo(?) WHERE hidden IN (?, ?)",
                    (table, *_GENERATED),
                )
            }
        except SqliteError as error:
            if result_code(error) in (INTERRUPTED, IO_ERROR):
                raise
            return False
        partial = bool(sql and _PARTIAL.search(sql))
        expressions = any(column == _EXPRESSION for column, _, _ in rows)
        if not rows or ((partial or expressions) and not _uses_fixed_functions(str(sql))):
            return False
        if generated and (partial or expressions):
            return False  # a generated column may call any function
        if not order:
            return True
        if partial or expressions:
            return False  # what they come to may hang on any function or order
        return all(
            column not in generated and str(collation).upper() in _FIXED_COLLATIONS
            for column, collation, _ in rows
        )

    def _primary_index(self, table: str) -> str | None:
        try:
            row = self._connection.execute(
                "SELECT name FROM pragma_index_list(?) WHERE origin = 'pk'", (table,)
            ).fetchone()
        except SqliteError as error:
            if result_code(error) in (INTERRUPTED, IO_ERROR):
                raise
            return None
        return str(row[0]) if row else None


def called_in(sql: str) -> list[str]:
    """What stands before an opening bracket in a definition: each function that it calls, and
    other names and words too."""
    return _CALL.findall(sql)


def _uses_fixed_functions(sql: str) -> bool:
    """Whether the expressions of an index can't be defined otherwise by an application."""
    if len(sql) > _LONGEST_SQL:
        return False
    called = [name.lower() for name in called_in(sql)]
    # The first is the table, before the list of columns, unless its name is quoted otherwise.
    table = re.search(r"\bON\s+(\S+?)\s*\(", sql, re.IGNORECASE)
    if table and called and table[1].lower() == called[0]:
        called = called[1:]
    return not (
        _QUOTED_OR_COMMENTED.search(sql.partition("(")[2])
        or set(called) - _FIXED_FUNCTIONS - {"where", "and", "or", "not", "in", "on"}
        or _REPLACEABLE_OPERATOR.search(sql)
    )
