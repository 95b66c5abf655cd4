"""What a database of real life is, for the tests: how it is made, and what it is to be taken for."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

Build = Callable[[Path], None]


class Kind(Enum):
    """What a database is, and so what must come of each operation on it."""

    HEALTHY = "healthy"
    """Nothing is wrong, and all of it can be looked at."""

    PARTLY = "healthy, not all can be checked"
    """Nothing is wrong, but SQLite lacks what the application brings, or does it otherwise."""

    PERHAPS = "healthy, some of it perhaps not checked"
    """Nothing is wrong. Whether all of it is looked at is left open."""

    VALUES = "values broken"
    """The b-trees are whole; some value or some index of a module isn't as the schema says."""

    DAMAGED = "structure damaged"
    """A b-tree, the free list or the file itself is broken."""

    NONE = "no database"
    """No SQLite file, or not one that this SQLite can open at all."""


@dataclass(frozen=True)
class Case:
    """A database by its name. `says`: words, any of which SQLite has for what is wrong with it.

    `deep`: what can't be checked of it shows only where indexes are compared with their tables,
    which verifications and imports do. `untold`: no look comes upon it, as rules of the schema
    (CHECK, keys) are left out. `locked_out`: SQLite opens it only to copy it.
    """

    name: str
    kind: Kind
    build: Build
    says: tuple[str, ...] = ()
    deep: bool = False
    untold: bool = False
    locked_out: bool = False

    def __str__(self) -> str:
        return self.name


class Shelf:
    """The cases of one module, in the order in which they are written."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def add(
        self, kind: Kind, *, name: str = "", says: tuple[str, ...] = (), **more: bool
    ) -> Callable[[Build], Build]:
        """A builder of a case of this kind; its docstring says what it is."""

        def added(build: Build) -> Build:
            assert build.__doc__, f"{build.__name__} does not say what it is"
            called = name or build.__name__.replace("_", " ")
            self.cases.append(Case(called, kind, build, says, **more))
            return build

        return added


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection as applications have it, each statement a transaction of its own."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def run(path: Path, *statements: str) -> None:
    """Run statements on a connection of their own."""
    with opened(path) as connection:
        for statement in statements:
            connection.execute(statement)


def rewritten(path: Path, name: str, sql: str) -> None:
    """Change the text in the schema of what is called `name`, as an application with more than
    this SQLite has would have left it."""
    with opened(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, name))


def root_of(connection: sqlite3.Connection, name: str) -> int:
    """The page at which the table or index begins."""
    query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
    (root,) = connection.execute(query, (name,)).fetchone()
    return int(root)


def numbers(count: int) -> str:
    """A table expression `n(i)` of the numbers from 1 to `count`."""
    return f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
