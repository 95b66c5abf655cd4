"""Databases as crashes and rights leave them."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backups.engines.sqlite import SqliteEngine
from backups.errors import SourceError

from ..store.killed import forked
from .sqlite_files import make_database, rows_of

FILL = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, x)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
    " INSERT INTO t(x) SELECT hex(randomblob(100)) FROM n",
)
# With so small a cache, changed pages reach the file before the commit.
_KILLED_WRITER = """
import os, signal, sys, sqlean
connection = sqlean.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 5")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE t SET x = 'half done'")
os.kill(os.getpid(), signal.SIGKILL)
"""


def content_of(path: Path) -> bytes:
    with SqliteEngine(path).snapshot() as snapshot:
        return b"".join(snapshot.blocks(4096))


@pytest.mark.parametrize("mode", ["delete", "truncate", "persist", "wal"])
def test_a_transaction_of_a_killed_writer_is_not_in_the_snapshot(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *FILL)
    before, rows = content_of(path), rows_of(path, "SELECT * FROM t")
    subprocess.run([sys.executable, "-c", _KILLED_WRITER, str(path)], check=False)
    left = path.with_name("a.db-wal" if mode == "wal" else "a.db-journal")
    assert left.stat().st_size > 10_000
    if mode != "wal":
        assert path.read_bytes() != before, "the file itself holds half of the transaction"
    # All but the change counter and who counted it, which the roll back may raise.
    found = content_of(path)
    assert found[100:] == before[100:]
    assert rows_of(path, "SELECT * FROM t") == rows


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users reach, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="savepoint-tests-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def as_somebody_else(path: Path, out: Path) -> str:
    """What a process without rights to the folder gets: the content, or the reason why not."""

    def work() -> int:
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        answer = {}
        try:
            answer["content"] = content_of(path).hex()
        except SourceError as error:
            answer = {"error": type(error).__name__, "reason": error.reason}
        os.write(descriptor, json.dumps(answer).encode())
        return 0

    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    assert forked(work) == 0
    os.close(descriptor)
    return out.read_text()


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_database_in_a_folder_that_can_not_be_written_is_read(
    open_folder: Path, tmp_path: Path, mode: str
) -> None:
    path = open_folder / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *FILL)
    path.chmod(0o444)
    open_folder.chmod(0o555)
    content = path.read_bytes()
    answer = json.loads(as_somebody_else(path, tmp_path / "out"))
    assert bytes.fromhex(answer["content"]) == content
    assert os.listdir(open_folder) == ["a.db"]
    assert path.read_bytes() == content
