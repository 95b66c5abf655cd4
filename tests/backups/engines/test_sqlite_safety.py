"""What a SQLite restore gives away of what it is about to write over."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlean

from backups.engines import sqlite_safety
from backups.engines.blocks import cut
from backups.engines.interface import Snapshot
from backups.engines.sqlite import SqliteEngine
from backups.errors import DatabaseUnreachable

from .sqlite_files import (
    JOURNAL_MODES,
    PagesContent,
    comparable,
    connected,
    ignore,
    make_database,
    pages_of,
    rows_of,
)

FILL = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, x)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
    " INSERT INTO t(x) SELECT randomblob(200) FROM n",
    "CREATE INDEX by_x ON t(x)",
)

# Counts on and on, and prints each number that it has committed.
COUNTER = """
import sys, sqlean
connection = sqlean.connect(sys.argv[1], isolation_level=None, timeout=30)
while True:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE counter SET value = value + 1")
    (number,) = connection.execute("SELECT value FROM counter").fetchone()
    connection.execute("COMMIT")
    print(number, flush=True)
"""


class Kept:
    """The last snapshot that was given to be kept."""

    def __init__(self) -> None:
        self.pages: list[bytes] = []
        self.facts: dict[str, Any] = {}

    def __call__(self, snapshot: Snapshot) -> None:
        size = snapshot.unit_size
        self.pages = [bytes(page) for page in cut(snapshot.blocks(size), size)]
        self.facts = dict(snapshot.facts)
        assert len(self.pages) == snapshot.units


def restore(
    path: Path, content: PagesContent, keep: Callable[[Snapshot], None], **how: Any
) -> None:
    engine = SqliteEngine(path, lock_wait=10, scratch=path.parent)
    engine.restore(content, keep=keep, before_commit=ignore, progress=how.get("progress", ignore))


def version_of(folder: Path, *statements: str) -> list[bytes]:
    path = folder / "version.db"
    make_database(path, *statements)
    pages = pages_of(path)
    path.unlink()
    return pages


@pytest.mark.parametrize("mode", JOURNAL_MODES)
def test_what_is_kept_brings_back_what_was_there(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *FILL, "PRAGMA user_version = 7")
    held = pages_of(path)
    kept, again = Kept(), Kept()
    version = version_of(tmp_path, "CREATE TABLE other(x)", "INSERT INTO other VALUES (1)")
    restore(path, PagesContent(version), kept)
    assert comparable(kept.pages) == comparable(held)
    assert kept.facts["tables"] == {"t": 2000}
    assert (kept.facts["user_version"], kept.facts["structure_checked"]) == (7, False)
    restore(path, PagesContent(kept.pages, facts=kept.facts), again)
    assert comparable(pages_of(path)) == comparable(held)
    assert comparable(again.pages) == comparable(version)
    assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_no_commit_of_another_falls_between_what_is_kept_and_what_is_written_over(
    tmp_path: Path, mode: str
) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *FILL, "CREATE TABLE counter(value)")
    make_database(path, "INSERT INTO counter VALUES (0)")
    version = PagesContent(pages_of(path))
    process = subprocess.Popen(
        [sys.executable, "-c", COUNTER, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        numbers = [int(process.stdout.readline())]
        for _ in range(5):
            kept = Kept()
            restore(path, version, kept)
            while numbers[-1] != 1 or len(numbers) == 1:
                numbers.append(int(process.stdout.readline()))
            copy = tmp_path / "kept.db"
            copy.write_bytes(b"".join(kept.pages))
            assert rows_of(copy, "SELECT value FROM counter") == [(numbers[-2],)]
            copy.unlink()
            # past 1, so that the next return to it is told from this one
            while numbers[-1] < 3:
                numbers.append(int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


def test_nothing_is_kept_where_there_is_no_database(tmp_path: Path) -> None:
    pages = version_of(tmp_path, *FILL)
    kept = Kept()
    restore(tmp_path / "a.db", PagesContent(pages), kept)
    assert not kept.pages
    assert pages_of(tmp_path / "a.db") == pages


def cut_short(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 8192 * 4096)


def scribbled_over(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 + 10)
        file.write(bytes([0xAB]) * 12000)


def schema_lost(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(bytes([0xAB]) * 3000)


def schema_wrong(path: Path) -> None:
    with connected(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = 'no statement' WHERE name = 't'")


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("damage", [cut_short, scribbled_over, schema_lost, schema_wrong])
def test_a_damaged_database_is_kept_as_it_is_and_restored(
    tmp_path: Path, mode: str, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *FILL)
    version = pages_of(path)
    make_database(path, "UPDATE t SET x = randomblob(200) WHERE id % 9 = 0")
    damage(path)
    damaged = path.read_bytes()
    kept = Kept()
    restore(path, PagesContent(version), kept)
    assert comparable(pages_of(path)) == comparable(version)
    assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]
    assert b"".join(kept.pages)[100:] == damaged[100:]
    # It was listed, so it can be had again, broken as it is.
    restore(path, PagesContent(kept.pages, facts=kept.facts), ignore)
    assert path.read_bytes()[100 : len(damaged)] == damaged[100:]
    restore(path, PagesContent(version), ignore)
    assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_damaged_version_that_was_thought_sound_comes_back_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    make_database(path, *FILL)
    pages = pages_of(path)
    scribbled_over(path)
    damaged = [
        path.read_bytes()[start : start + 4096] for start in range(0, len(pages) * 4096, 4096)
    ]
    restore(path, PagesContent(pages), ignore)
    restore(path, PagesContent(damaged, facts={"structure_checked": True}), ignore)
    assert comparable(pages_of(path)) == comparable(damaged)


def test_only_what_differs_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    make_database(path, "PRAGMA journal_mode = wal", *FILL)
    content = PagesContent(pages_of(path))
    with connected(path) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("UPDATE t SET x = zeroblob(200) WHERE id = 1000")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        restore(path, content, ignore)
        written = (tmp_path / "a.db-wal").stat().st_size
    assert 1 < content.read < 16
    assert written < 24 * 4200
    assert comparable(pages_of(path)) == comparable(content_pages(content))


def content_pages(content: PagesContent) -> list[bytes]:
    whole = b"".join(content.blocks())
    return [whole[start : start + 4096] for start in range(0, len(whole), 4096)]


@pytest.mark.parametrize("mode", JOURNAL_MODES)
@pytest.mark.parametrize("told", [True, False])
def test_a_transaction_that_sqlite_ends_meanwhile_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, told: bool
) -> None:
    """As it does by itself after some errors of the disk; each write would be a commit then."""
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *FILL)
    held = path.read_bytes()
    real = sqlite_safety.database_facts
    ended: list[bool] = []

    def ending(connection: Any, *, budget: float) -> dict[str, Any]:
        facts = real(connection, budget=budget)
        if not ended or not told:
            ended.append(True)
            connection.execute("ROLLBACK")
            if told:
                raise sqlean.OperationalError("disk I/O error")
        return facts

    monkeypatch.setattr(sqlite_safety, "database_facts", ending)
    version = version_of(tmp_path, "CREATE TABLE other(x)", "INSERT INTO other VALUES (1)")
    if told:  # it is begun anew, without what may fail
        restore(path, PagesContent(version), Kept())
        assert comparable(pages_of(path)) == comparable(version)
    else:
        with pytest.raises(DatabaseUnreachable):
            restore(path, PagesContent(version), ignore)  # reads nothing, so it notices nothing
        assert path.read_bytes() == held
    assert ended


def test_a_count_that_ends_the_transaction_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    make_database(path, *FILL)

    class Failing:
        """A connection whose disk fails at the first count."""

        def __init__(self, connection: Any) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

        def execute(self, query: str, *values: Any) -> Any:
            if query.startswith("SELECT count"):
                self._connection.execute("ROLLBACK")
                raise sqlean.OperationalError("disk I/O error")
            return self._connection.execute(query, *values)

    with connected(path) as connection:
        connection.execute("BEGIN")
        with pytest.raises(sqlean.OperationalError):
            sqlite_safety.database_facts(Failing(connection), budget=10)
