"""What a project's database holds, read as its users read it: by SQLite, from another process.

The tests' own process never opens the file: closing it would drop the locks of others in it.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READER = """
import hashlib, sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=30)
connection.execute("BEGIN")
digest = hashlib.sha256()
for line in connection.iterdump():
    digest.update(line.encode("utf-8", "surrogatepass"))
assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
print(digest.hexdigest())
"""

WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
connection.execute("CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY, held INTEGER)")
connection.execute("INSERT OR IGNORE INTO accounts VALUES (1, 1000), (2, 1000)")
print("ready", flush=True)
moves = 0
while True:
    moves += 1
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE accounts SET held = held - 1 WHERE id = 1")
    connection.execute(
        "UPDATE products SET description = description || ? WHERE id = ?",
        (" moved", 1 + moves * 37 % 9000),
    )
    connection.execute("UPDATE accounts SET held = held + 1 WHERE id = 2")
    connection.execute("COMMIT")
"""

SQL = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30)
print(connection.execute(sys.argv[2]).fetchone())
connection.commit()
"""


def _python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def content_of(database: Path) -> str:
    """A digest of everything in the database; fails if its structure is damaged."""
    return _python(READER, str(database))


def execute(database: Path, sql: str) -> str:
    """Run one statement and commit; returns the first row as text."""
    return _python(SQL, str(database), sql)


@contextmanager
def busy_writer(database: Path) -> Iterator[None]:
    """A process that moves sums between two accounts all the time: 2000 in all, at any moment."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(database)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        yield
        assert writer.poll() is None, "the writer was disturbed"
    finally:
        writer.kill()
        writer.wait()
        assert writer.stdout is not None
        writer.stdout.close()
