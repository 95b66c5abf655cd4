"""The database that all are measured on, and how it is changed: the same for the same size."""

import json
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

from backups.demo.catalogue import write_catalogue

# What stands between two versions; "first" is the database as it was made.
STEPS = ("first", "a", "b", "c", "d")
MEANING = {
    "first": "the first version",
    "a": "nothing changed",
    "b": "1 % of the rows updated at random places",
    "c": "10 % of the rows updated in one range",
    "d": "5 % appended",
}


def make(path: Path, megabytes: int) -> None:
    """Make the database, of about so many megabytes."""
    write_catalogue(path, megabytes)


def change(path: Path, step: str, seed: int = 7) -> None:
    """Change the database as the step says, and leave no -wal beside it."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        (count,) = connection.execute("SELECT max(id) FROM products").fetchone()
        connection.execute("BEGIN IMMEDIATE")
        _CHANGES[step](connection, count, random.Random(seed))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()


def make_other(path: Path) -> None:
    """Change every row of the database, so that hardly a page of it is what it was."""
    chance = random.Random(11)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.create_function("other", 1, lambda length: chance.randbytes(length))
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE images SET data = other(length(data))")
        connection.execute("UPDATE products SET attributes = hex(other(60)), name = 'N' || name")
        connection.execute("UPDATE prices SET cents = cents + 1")
        connection.execute("UPDATE relations SET kind = 'other ' || kind")
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()


def repeat(path: Path) -> None:
    """Store what two of the tables hold once more: the same rows, on other pages."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("CREATE TABLE products_again AS SELECT * FROM products")
        connection.execute("CREATE TABLE images_again AS SELECT * FROM images")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()


def touch(path: Path, number: int) -> None:
    """Change one row: what a restore does to a database at least."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("UPDATE categories SET name = name || ? WHERE id = 1", (str(number),))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()


def percent_changed(path: Path, seed: int) -> None:
    """Change 1 % of the rows at random places."""
    change(path, "b", seed)


def _nothing(connection: sqlite3.Connection, count: int, chance: random.Random) -> None:
    return


def _update(connection: sqlite3.Connection, chosen: list[int], chance: random.Random) -> None:
    def attributes() -> str:
        return json.dumps({"width_mm": chance.randrange(9999), "ean": chance.randrange(10**13)})

    connection.executemany(
        "UPDATE products SET attributes = ?, updated_on = updated_on + 60 WHERE id = ?",
        [(attributes(), number) for number in chosen],
    )


def _some(connection: sqlite3.Connection, count: int, chance: random.Random) -> None:
    _update(connection, sorted(chance.sample(range(1, count + 1), count // 100)), chance)


def _range(connection: sqlite3.Connection, count: int, chance: random.Random) -> None:
    _update(connection, list(range(count // 3, count // 3 + count // 10)), chance)


def _append(connection: sqlite3.Connection, count: int, chance: random.Random) -> None:
    connection.execute(
        "INSERT INTO products SELECT id + :count, 'N' || sku, name, description, attributes,"
        " updated_on FROM products WHERE id <= :most",
        {"count": count, "most": count // 20},
    )
    connection.execute(
        "INSERT INTO images (product_id, file_name, data) SELECT product_id, 'N' || file_name,"
        " randomblob(length(data)) FROM images WHERE product_id <= ?",
        (count // 20,),
    )


_CHANGES: dict[str, Callable[[sqlite3.Connection, int, random.Random], None]] = {
    "a": _nothing,
    "b": _some,
    "c": _range,
    "d": _append,
}
