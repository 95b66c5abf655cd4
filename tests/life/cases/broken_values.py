"""Databases whose b-trees are whole, but whose values aren't as the schema says. The application
may know why; they are backed up as they are, and what was found is told."""

from functools import partial
from pathlib import Path

from ..case import Kind, Shelf, numbers, opened, rewritten, run
from .healthy import ROWS

SHELF = Shelf()
values = partial(SHELF.add, Kind.VALUES)


@values(untold=True)
def check_that_old_rows_break(path: Path) -> None:
    """A CHECK that came with a new release of the application."""
    run(path, "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT)", "INSERT INTO t(a) VALUES (5), (-5)")
    rewritten(path, "t", "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT CHECK (a > 0))")


@values()
def null_where_none_may_be(path: Path) -> None:
    """A NOT NULL that was written into the schema afterwards."""
    run(path, "CREATE TABLE t (id INTEGER PRIMARY KEY, a)", "INSERT INTO t(a) VALUES (1), (NULL)")
    rewritten(path, "t", "CREATE TABLE t (id INTEGER PRIMARY KEY, a NOT NULL)")


@values()
def wrong_type_in_a_strict_table(path: Path) -> None:
    """A table that was made STRICT afterwards."""
    run(
        path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT)",
        "INSERT INTO t(a) VALUES (1), ('one')",
    )
    rewritten(path, "t", "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT) STRICT")


@values()
def number_in_a_column_of_text(path: Path) -> None:
    """A column whose type was changed in the schema: its numbers would be text if written now."""
    run(path, "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT)", "INSERT INTO t(a) VALUES (1), (2)")
    rewritten(path, "t", "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)")


@values(untold=True)
def foreign_keys_to_nothing(path: Path) -> None:
    """Keys are not enforced unless a connection asks for it; few do."""
    run(
        path,
        "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent INT REFERENCES parent)",
        "INSERT INTO child(parent) VALUES (1), (2)",
    )


@values()
def generated_column_of_text_that_is_no_json(path: Path) -> None:
    """A column of json_extract, added to a table that has other text too."""
    run(
        path,
        "CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT)",
        """INSERT INTO doc(body) VALUES ('{"title": "a"}'), ('plain text')""",
        "ALTER TABLE doc ADD COLUMN title TEXT AS (json_extract(body, '$.title'))",
    )


@values(untold=True)
def json_check_that_raises(path: Path) -> None:
    """A CHECK that is no true or false but an error for some row."""
    run(
        path,
        "PRAGMA ignore_check_constraints = ON",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT CHECK (json_extract(a, '$.n') > 0))",
        """INSERT INTO t(a) VALUES ('{"n": 1}'), ('no json')""",
    )


@values(deep=True)
def doubles_in_a_unique_index(path: Path) -> None:
    """An index that was made UNIQUE in the schema afterwards."""
    run(
        path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a)",
        "INSERT INTO t(a) VALUES (1), (1), (2)",
        "CREATE INDEX t_a ON t(a)",
    )
    rewritten(path, "t_a", "CREATE UNIQUE INDEX t_a ON t(a)")


@values()
def r_tree_that_has_lost_a_row(path: Path) -> None:
    """A table that the module keeps beside its own was written by somebody else."""
    run(
        path,
        "CREATE VIRTUAL TABLE box USING rtree(id, x0, x1, y0, y1)",
        f"{numbers(100)} INSERT INTO box SELECT i, i, i + 1, i % 9, i % 9 + 1 FROM n",
        "DELETE FROM box_rowid WHERE rowid = 50",
    )


@values()
def full_text_that_has_lost_a_word(path: Path) -> None:
    """The text was changed past the full-text index: what it finds is not what there is."""
    run(
        path,
        *ROWS,
        "CREATE VIRTUAL TABLE words USING fts5(body)",
        "INSERT INTO words(body) VALUES ('one two'), ('three')",
        "UPDATE words_content SET c0 = 'four' WHERE id = 1",
    )


@values()
def full_text_without_one_of_its_tables(path: Path) -> None:
    """Somebody has tidied up what they did not know."""
    with opened(path) as connection:
        connection.execute("CREATE VIRTUAL TABLE words USING fts5(body)")
        connection.execute("INSERT INTO words(body) VALUES ('one two'), ('three')")
        connection.execute("DROP TABLE words_docsize")
