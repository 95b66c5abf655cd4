"""SQLite files to test with, and other programs that have them open."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlean

from backups.errors import ObjectDamaged

JOURNAL_MODES = ("wal", "delete", "truncate", "persist")

# Reads one JSON text with SQL a line, answers with one line.
_CLIENT = """
import json, sys, sqlean
connection = sqlean.connect(sys.argv[1], isolation_level=None, timeout=float(sys.argv[2]))
for line in sys.stdin:
    try:
        answer = {"rows": connection.execute(json.loads(line)).fetchall()}
    except sqlean.Error as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
"""

# Moves money about, so that the sum of all accounts is the same after each transaction.
_TRANSFERS = """
import random, sys, threading, sqlean
connection = sqlean.connect(sys.argv[1], isolation_level=None, timeout=30)
stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
(accounts,) = connection.execute("SELECT count(*) FROM accounts").fetchone()
made = 0
while not stopped.is_set():
    giver, taker = random.sample(range(1, accounts + 1), 2)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE accounts SET balance = balance - 7 WHERE id = ?", (giver,))
    connection.execute("UPDATE accounts SET balance = balance + 7 WHERE id = ?", (taker,))
    connection.execute("COMMIT")
    made += 1
    if made == 1:
        print("started", flush=True)
print(made, flush=True)
"""


class Client:
    """Another process with the database open by SQLite."""

    def __init__(self, path: Path, *, lock_wait: float = 10.0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CLIENT, str(path), str(lock_wait)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def answer(self, sql: str) -> dict[str, Any]:
        """What the other process got: its rows or its error."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(sql) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def rows(self, sql: str) -> list[list[Any]]:
        """The rows that the other process got."""
        answer = self.answer(sql)
        assert "rows" in answer, answer
        rows: list[list[Any]] = answer["rows"]
        return rows


@contextmanager
def busy_writer(path: Path) -> Iterator[Callable[[], int]]:
    """A process that writes all the time. Call what is given to stop it; that tells how many
    transactions it made."""
    process = subprocess.Popen(
        [sys.executable, "-c", _TRANSFERS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "started\n"
        yield lambda: int(process.communicate()[0])
    finally:
        process.kill()
        process.communicate()


def make_accounts(path: Path, *, mode: str, accounts: int = 20_000) -> int:
    """A database for `busy_writer`; returns the sum of all accounts."""
    make_database(
        path,
        f"PRAGMA journal_mode = {mode}",
        "CREATE TABLE accounts(id INTEGER PRIMARY KEY, balance INTEGER, note TEXT)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        f" WHERE i < {accounts}) INSERT INTO accounts SELECT i, 100, hex(randomblob(60)) FROM n",
    )
    return 100 * accounts


def make_database(path: Path, *statements: str) -> None:
    """Run statements in one connection; the file is made when it is missing."""
    with connected(path) as connection:
        for statement in statements:
            connection.execute(statement).fetchall()


@contextmanager
def connected(path: Path) -> Iterator[Any]:
    """A connection of this process, with the library that the engine uses."""
    connection = sqlean.connect(str(path), isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def rows_of(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """What a query gives."""
    with connected(path) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
        return rows


def pages_of(path: Path) -> list[bytes]:
    """All pages, as SQLite sees them."""
    return [page for (page,) in rows_of(path, "SELECT data FROM sqlite_dbpage")]


def comparable(pages: Sequence[bytes]) -> list[bytes]:
    """Pages without the header fields that SQLite, or a restore in place, counts on: journal
    mode, change counter, page count, schema cookie, and who wrote last."""
    if not pages:
        return []
    first = bytearray(pages[0])
    for start, end in ((18, 20), (24, 32), (40, 44), (92, 100)):
        first[start:end] = bytes(end - start)
    return [bytes(first), *pages[1:]]


class PagesContent:
    """A content made of pages, as a restore is given it."""

    def __init__(
        self,
        pages: Sequence[bytes],
        *,
        unit_size: int | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.unit_size = unit_size or (len(pages[0]) if pages else 4096)
        self.units = len(pages)
        self.size = self.units * self.unit_size
        # Three pages at a time, so that they fit nothing.
        self.block_size = 3 * self.unit_size
        self.facts = facts or {}
        self.read = 0
        self._pages = list(pages)

    def blocks(self, known: Iterable[bytes] = ()) -> Iterator[bytes]:
        """Counts in `read` the blocks that were not known."""
        pieces = iter(known)
        for start in range(0, len(self._pages), 3):
            block = b"".join(self._pages[start : start + 3])
            held = next(pieces, None)
            self.read += held != block
            yield held if held == block else block


class DamagedAtTheEnd(PagesContent):
    """All blocks are handed out before it shows that the whole is not what it should be."""

    def blocks(self, known: Iterable[bytes] = ()) -> Iterator[bytes]:
        """Raises ObjectDamaged after the last."""
        yield from super().blocks(known)
        raise ObjectDamaged("damaged")


def ignore(*_: object) -> None:
    """A progress or a lease check that never objects."""
