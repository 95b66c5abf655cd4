"""What stands at a database's place and is none, as far as anybody without a key can tell."""

import gzip
import random
from functools import partial
from pathlib import Path

from ..case import Kind, Shelf, run
from .healthy import ROWS

SHELF = Shelf()
none = partial(SHELF.add, Kind.NONE)


@none(says=("encrypted",))
def encrypted(path: Path) -> None:
    """As SQLCipher writes it: each byte as good as random, from the first on."""
    path.write_bytes(random.Random(9).randbytes(40 * 4096))


@none(says=("not a SQLite database", "not a database"))
def magic_that_is_damaged(path: Path) -> None:
    """A database whose first bytes were lost."""
    run(path, *ROWS)
    content = bytearray(path.read_bytes())
    content[:16] = bytes(16)
    path.write_bytes(content)


@none(says=("not a SQLite database", "not a database"))
def page_of_the_web(path: Path) -> None:
    """An error page, saved in the place of what was to be downloaded."""
    path.write_text("<!doctype html><title>502 Bad Gateway</title>\n" * 100)


@none(says=("not a SQLite database", "not a database", "compressed"))
def packed_dump(path: Path) -> None:
    """A dump by gzip, under the name of a database."""
    path.write_bytes(gzip.compress(b"INSERT INTO person VALUES (1);\n" * 5000, mtime=0))


@none(says=("not a SQLite database", "not a database"))
def page_size_of_three(path: Path) -> None:
    """A header whose page size is none."""
    run(path, *ROWS)
    content = bytearray(path.read_bytes())
    content[16:18] = (3).to_bytes(2, "big")
    path.write_bytes(content)


@none(says=("not a SQLite database", "not a database"))
def nothing_but_the_magic(path: Path) -> None:
    """The first bytes of a copy that was broken off at once."""
    path.write_bytes(b"SQLite format 3\0")
