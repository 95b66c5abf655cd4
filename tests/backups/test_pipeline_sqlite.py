"""SQLite databases on the way to stored versions and back."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from backups.engines.sqlite import SqliteEngine
from backups.pipeline import ProjectStore, Taken, VersionLabel, restore, take
from backups.store.local import LocalStore
from backups.store.memory import MemoryStore
from backups.store.seal import Keyring

from .engines.sqlite_files import (
    busy_writer,
    connected,
    ignore,
    make_accounts,
    make_database,
    pages_of,
    rows_of,
)
from .small_store import KEY

SQL_CHANGES = (
    "UPDATE t SET x = randomblob(300) WHERE id % 97 = {n} % 97",
    "INSERT INTO t(x) SELECT randomblob(700) FROM t LIMIT 40",
    "DELETE FROM t WHERE id % 5 = {n} % 5",
    "VACUUM",
    "CREATE TABLE t{n} AS SELECT * FROM t LIMIT 30",
    "CREATE INDEX IF NOT EXISTS by_x ON t(x)",
    "DROP INDEX IF EXISTS by_x",
)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_sqlite_database_goes_back_and_forth_through_its_history(
    tmp_path: Path, mode: str
) -> None:
    path = tmp_path / "a.db"
    make_database(
        path,
        "PRAGMA page_size = 512",
        f"PRAGMA journal_mode = {mode}",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, x)",
        "INSERT INTO t(x) VALUES (randomblob(100))",
        *["INSERT INTO t(x) SELECT randomblob(100) FROM t"] * 7,
    )
    engine = SqliteEngine(path, scratch=tmp_path)
    project = ProjectStore(
        LocalStore(tmp_path / "store"),
        Keyring.of(KEY),
        "g",
        block_size=1500,
        frame_size=6000,
        pack_size=20_000,
    )
    source = random.Random(5)
    contents: list[list[bytes]] = []
    versions: list[Taken] = []
    for number in range(1, 16):
        label = VersionLabel(number, "a", "me", 0)
        parent_key = versions[-1].manifest_key if versions else None
        versions.append(take(engine, project, label, parent_key=parent_key, progress=ignore))
        contents.append(pages_of(path))
        if source.random() < 0.4:
            place = source.randrange(len(versions))
            key = versions[place].manifest_key
            restore(engine, project, key, before_commit=ignore, progress=ignore)
            assert [pages_of(path)[1:], len(pages_of(path))] == [
                contents[place][1:],
                len(contents[place]),
            ]
        for _ in range(source.randrange(3)):
            make_database(path, source.choice(SQL_CHANGES).format(n=number))
        assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]
    for place, taken in enumerate(versions):
        fresh = tmp_path / f"fresh-{place}.db"
        restore(
            SqliteEngine(fresh), project, taken.manifest_key, before_commit=ignore, progress=ignore
        )
        assert fresh.read_bytes() == b"".join(contents[place])


def test_the_page_that_sqlite_keeps_for_its_locks_is_passed_over(tmp_path: Path) -> None:
    """It lies at 1 GiB, cannot be written, and reads as zeros."""
    path = tmp_path / "a.db"
    make_database(
        path,
        "PRAGMA page_size = 65536",
        "PRAGMA journal_mode = wal",
        "CREATE TABLE t(x)",
    )
    # Rows larger than the memory that SQLite has here, by a library that has more.
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("INSERT INTO t VALUES (zeroblob(600000000)), (zeroblob(480000000)), ('last')")
    assert path.stat().st_size > 1 << 30
    project = ProjectStore(MemoryStore(), Keyring.of(KEY), "g")
    engine = SqliteEngine(path, scratch=tmp_path)
    label = VersionLabel(1, "a", "me", 0)
    taken = take(engine, project, label, parent_key=None, progress=ignore)
    make_database(path, "DELETE FROM t", "VACUUM")
    for _ in ("grown over it", "made anew"):
        restore(engine, project, taken.manifest_key, before_commit=ignore, progress=ignore)
        assert rows_of(path, "SELECT x FROM t WHERE rowid = 3") == [("last",)]
        assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]
        assert path.stat().st_size == taken.size
        path.unlink()


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_versions_taken_under_a_busy_writer_hold_one_moment(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    total = make_accounts(path, mode=mode, accounts=4000)
    project = ProjectStore(
        LocalStore(tmp_path / "store"), Keyring.of(KEY), "g", block_size=4096, frame_size=16384
    )
    engine = SqliteEngine(path, lock_wait=60, scratch=tmp_path)
    versions: list[Taken] = []
    with busy_writer(path) as stop:
        for number in range(1, 6):
            label = VersionLabel(number, "a", "me", 0)
            parent_key = versions[-1].manifest_key if versions else None
            versions.append(take(engine, project, label, parent_key=parent_key, progress=ignore))
        # and back, while it goes on
        key = versions[0].manifest_key
        restore(engine, project, key, before_commit=ignore, progress=ignore)
        made = stop()
    assert made > 1
    assert len({taken.content_hash for taken in versions}) > 1
    assert rows_of(path, "SELECT sum(balance) FROM accounts") == [(total,)]
    assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]
    for number, taken in enumerate(versions):
        copy = tmp_path / f"copy-{number}.db"
        restore(
            SqliteEngine(copy), project, taken.manifest_key, before_commit=ignore, progress=ignore
        )
        with connected(copy) as connection:
            assert connection.execute("SELECT sum(balance) FROM accounts").fetchone() == (total,)
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
