"""Databases that are really broken, by disks, by copies made while somebody wrote, by programs
that wrote where they should not. Refused unless the asker insists, then kept as they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ..case import Kind, Shelf, numbers, opened, root_of, run

SHELF = Shelf()
damaged = partial(SHELF.add, Kind.DAMAGED)

PAGE = 1024
TABLE_LEAF, TABLE_NODE, INDEX_LEAF, INDEX_NODE = 13, 5, 10, 2


class Pages:
    """The bytes of a database, by page numbers from 1, to be broken."""

    def __init__(self, path: Path) -> None:
        self.bytes = bytearray(path.read_bytes())

    @property
    def count(self) -> int:
        return len(self.bytes) // PAGE

    def at(self, number: int, offset: int = 0) -> int:
        return (number - 1) * PAGE + offset

    def number(self, number: int, offset: int) -> int:
        """The four bytes at this place."""
        at = self.at(number, offset)
        return int.from_bytes(self.bytes[at : at + 4], "big")

    def write(self, number: int, offset: int, data: bytes) -> None:
        at = self.at(number, offset)
        self.bytes[at : at + len(data)] = data

    def of_kind(self, kind: int) -> list[int]:
        """The pages of b-trees that begin with this byte, except the first page."""
        return [n for n in range(2, self.count + 1) if self.bytes[self.at(n)] == kind]


@contextmanager
def pages(path: Path) -> Iterator[Pages]:
    """The pages of the database, written back at the end."""
    found = Pages(path)
    yield found
    path.write_bytes(found.bytes)


def whole(path: Path, *more: str) -> None:
    """Some hundred pages: a table of more than one level with an index, and another table."""
    run(
        path,
        f"PRAGMA page_size = {PAGE}",
        *more,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)",
        "CREATE INDEX t_x ON t(x)",
        f"{numbers(600)} INSERT INTO t(x) SELECT hex(randomblob(30)) FROM n",
        "CREATE TABLE other (id INTEGER PRIMARY KEY, y)",
        f"{numbers(50)} INSERT INTO other(y) SELECT i FROM n",
    )


@damaged(says=("out of range", "malformed", "Offset"))
def broken_cell_pointers(path: Path) -> None:
    """A page of a table says that its rows lie outside of it."""
    whole(path)
    with pages(path) as found:
        found.write(found.of_kind(TABLE_LEAF)[5], 8, b"\xff\xf0" * 4)


@damaged(says=("btreeInitPage", "malformed"))
def page_of_zeros(path: Path) -> None:
    """A page of a table that the disk has lost."""
    whole(path)
    with pages(path) as found:
        found.write(found.of_kind(TABLE_LEAF)[7], 0, bytes(PAGE))


@damaged(says=("btreeInitPage", "malformed"))
def page_of_zeros_in_an_index(path: Path) -> None:
    """The same with an index."""
    whole(path)
    with pages(path) as found:
        found.write(found.of_kind(INDEX_LEAF)[3], 0, bytes(PAGE))


@damaged(says=("malformed", "btreeInitPage", "page"))
def node_of_another_file(path: Path) -> None:
    """The top of a table was written over by something else."""
    whole(path)
    with pages(path) as found:
        found.write(found.of_kind(TABLE_NODE)[0], 0, b"something else " * 60)


@damaged(says=("out of order", "Rowid"))
def rows_out_of_order(path: Path) -> None:
    """Two rows have changed places on their page."""
    whole(path)
    with pages(path) as found:
        page = found.of_kind(TABLE_LEAF)[4]
        at = found.at(page, 8)
        found.bytes[at : at + 4] = found.bytes[at + 2 : at + 4] + found.bytes[at : at + 2]


@damaged(says=("wrong # of entries", "missing from index"))
def index_that_lacks_rows(path: Path) -> None:
    """Rows that were written while the index was out of the schema."""
    whole(path)
    _past_the_index(path, f"{numbers(5)} INSERT INTO t(x) SELECT 'lost ' || i FROM n")


@damaged(says=("wrong # of entries", "missing from index"))
def index_with_rows_that_are_gone(path: Path) -> None:
    """Rows that were deleted while the index was out of the schema."""
    whole(path)
    _past_the_index(path, "DELETE FROM t WHERE id % 100 = 7")


def _past_the_index(path: Path, statement: str) -> None:
    with opened(path) as connection:
        (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 't_x'").fetchone()
        root = root_of(connection, "t_x")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_schema WHERE name = 't_x'")
    with opened(path) as connection:
        connection.execute(statement)
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "INSERT INTO sqlite_schema VALUES ('index', 't_x', 't', ?, ?)", (root, sql)
        )


def _with_free_pages(path: Path) -> None:
    whole(path)
    run(
        path,
        f"{numbers(100)} INSERT INTO t(id, x) SELECT 1000 + i, hex(randomblob(900)) FROM n",
        "DELETE FROM t WHERE id > 1000",
    )


@damaged(says=("Freelist", "freelist", "2nd reference", "malformed"))
def free_list_that_runs_in_a_circle(path: Path) -> None:
    """The list of free pages comes back to its beginning."""
    _with_free_pages(path)
    with pages(path) as found:
        first = found.number(1, 32)
        assert first
        found.write(first, 0, first.to_bytes(4, "big"))


@damaged(says=("Freelist", "freelist", "malformed"))
def free_list_of_a_wrong_length(path: Path) -> None:
    """The header counts more free pages than there are."""
    _with_free_pages(path)
    with pages(path) as found:
        found.write(1, 36, (found.number(1, 36) + 3).to_bytes(4, "big"))


@damaged(says=("verflow", "malformed", "page"))
def chain_of_a_long_value_that_is_cut(path: Path) -> None:
    """A value over many pages of which one names a page that is not there."""
    whole(path)
    run(path, "INSERT INTO other VALUES (900, randomblob(40000))")
    with pages(path) as found:
        # The last pages are the chain's; each begins with the number of the next.
        inside = next(
            n for n in range(found.count - 20, found.count) if found.number(n, 0) == n + 1
        )
        found.write(inside, 0, (found.count + 1000).to_bytes(4, "big"))


@damaged(says=("2nd reference", "referenced", "malformed"))
def two_tables_on_one_page(path: Path) -> None:
    """The schema says of two tables that they begin at the same page."""
    whole(path)
    with opened(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET rootpage = ? WHERE name = 'other'",
            (root_of(connection, "t"),),
        )


@damaged(says=("rootpage", "malformed", "page"))
def table_beyond_the_end(path: Path) -> None:
    """The schema says of a table that it begins at a page that there is not."""
    whole(path)
    with opened(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET rootpage = 9999 WHERE name = 'other'")


@damaged(says=("malformed", "btreeInitPage"))
def schema_that_is_broken(path: Path) -> None:
    """The first page says of itself that it is of no kind: no table can be found."""
    whole(path)
    with pages(path) as found:
        found.write(1, 100, b"\x63")


@damaged(says=("malformed", "page"))
def file_that_ends_early(path: Path) -> None:
    """A copy that was broken off between two pages."""
    whole(path)
    with pages(path) as found:
        del found.bytes[-10 * PAGE :]


@damaged(says=("Pointer map", "ptrmap", "malformed", "Bad ptr map"))
def pointer_map_that_is_wrong(path: Path) -> None:
    """The map by which auto-vacuum moves pages names another parent."""
    whole(path, "PRAGMA auto_vacuum = FULL")
    with pages(path) as found:
        found.write(2, 5 * 10 + 1, (9999).to_bytes(4, "big"))


@damaged(says=("out of range", "malformed", "Offset"))
def damage_beside_an_unknown_collation(path: Path) -> None:
    """A page of one table is broken; another has an order that SQLite lacks, and of that alone
    its check of the whole speaks."""
    with opened(path) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE}")
        connection.create_collation("unicase", lambda one, other: (one > other) - (one < other))
        connection.execute(
            "CREATE TABLE a_tags (tag TEXT PRIMARY KEY COLLATE unicase, usn INT) WITHOUT ROWID"
        )
        connection.execute("INSERT INTO a_tags VALUES ('a', 1)")
    whole(path)
    with pages(path) as found:
        found.write(found.of_kind(TABLE_LEAF)[5], 8, b"\xff\xf0" * 4)


@damaged(says=("btreeInitPage", "malformed"))
def damage_beside_an_unknown_tokenizer(path: Path) -> None:
    """The same beside a full-text index with a tokenizer of the application's."""
    whole(path, "CREATE VIRTUAL TABLE a_notes USING fts5(body)")
    with opened(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE a_notes USING"
            " fts5(body, tokenize=app)' WHERE name = 'a_notes'"
        )
    with pages(path) as found:
        found.write(found.of_kind(TABLE_LEAF)[-1], 0, bytes(PAGE))


@damaged(says=("btreeInitPage", "malformed"))
def damage_beside_the_syntax_of_a_newer_sqlite(path: Path) -> None:
    """The same where the schema can't be read at all."""
    whole(path, "CREATE TABLE a_new (a)")
    with opened(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = 'CREATE TABLE a_new (a) LATER' WHERE name = 'a_new'"
        )
    with pages(path) as found:
        found.write(found.of_kind(TABLE_LEAF)[7], 0, bytes(PAGE))


@damaged(says=("wrong # of entries", "missing from index"))
def damage_beside_a_function_of_the_application(path: Path) -> None:
    """An index in SQLite's own order lacks rows; another calls what only the application has."""
    with opened(path) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE}")
        connection.create_function("app_norm", 1, lambda value: value, deterministic=True)
        connection.execute("CREATE TABLE a_own (id INTEGER PRIMARY KEY, a)")
        connection.execute("CREATE INDEX a_own_norm ON a_own(app_norm(a))")
        connection.execute("INSERT INTO a_own(a) VALUES (1)")
    whole(path)
    _past_the_index(path, f"{numbers(5)} INSERT INTO t(x) SELECT 'lost ' || i FROM n")


@damaged(says=("malformed", "btreeInitPage"))
def half_of_it_written_over(path: Path) -> None:
    """A disk that came back with noise in every second page."""
    whole(path)
    with pages(path) as found:
        for number in range(4, found.count, 2):
            found.write(number, 0, bytes(range(256)) * (PAGE // 256))


@damaged(says=("unsupported file format", "file format"), locked_out=True)
def file_format_of_the_future(path: Path) -> None:
    """The header says that the schema is of a format that this SQLite does not know: not broken,
    but nothing of it can be looked at."""
    whole(path)
    with pages(path) as found:
        found.write(1, 44, (9).to_bytes(4, "big"))
