"""That a database's file gives, past SQLite, what SQLite itself would give."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backups.engines import sqlite_file
from backups.engines.sqlite import SqliteEngine
from backups.engines.sqlite_connection import opened
from backups.engines.sqlite_file import FilePages, file_pages, seen_at
from backups.errors import DatabaseUnreachable

from .sqlite_files import JOURNAL_MODES, Client, connected, make_database, pages_of

ROWS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
    "INSERT INTO t(x) SELECT randomblob(100 + abs(random()) % 900) FROM n"
)


@pytest.fixture(autouse=True)
def small_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that others come between the pieces of small files."""
    monkeypatch.setattr(sqlite_file, "STRETCH", 1 << 13)


def made(path: Path, *, mode: str = "wal", page_size: int = 1024, rows: int = 400) -> Path:
    make_database(
        path,
        f"PRAGMA page_size = {page_size}",
        "PRAGMA auto_vacuum = 2",
        f"PRAGMA journal_mode = {mode}",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, x)",
        "CREATE INDEX of_x ON t(x)",
        ROWS.format(rows),
    )
    return path


@contextmanager
def reading(path: Path) -> Iterator[tuple[Any, FilePages | None]]:
    """A connection in a read transaction, and its pages past SQLite."""
    seen = seen_at(path)
    with opened(path, lock_wait=5) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
        yield connection, file_pages(connection, path, seen)


def by_sqlite(connection: Any) -> bytes:
    rows = connection.execute("SELECT data FROM sqlite_dbpage").fetchall()
    return b"".join(data for (data,) in rows)


def step(chance: random.Random, writer: Client, reader: Client) -> None:
    """Something that others may do at any moment."""
    what = chance.choice(
        [
            "UPDATE t SET x = randomblob(700) WHERE id % 97 = abs(random()) % 97",
            "UPDATE t SET x = randomblob(50) WHERE id = 7",
            ROWS.format(chance.randrange(1, 60)),
            "DELETE FROM t WHERE id % 5 = abs(random()) % 5",
            "PRAGMA incremental_vacuum",
            "PRAGMA wal_checkpoint(PASSIVE)",
            "PRAGMA wal_checkpoint(RESTART)",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "reader",
        ]
    )
    if what == "reader":
        # Others' marks in the WAL hold checkpoints up at other places than ours.
        reader.answer(chance.choice(["BEGIN", "SELECT count(*) FROM t", "COMMIT"]))
    else:
        writer.answer(what)


@pytest.mark.parametrize("seed", range(24))
def test_what_others_do_meanwhile_does_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    # Whether pages of the WAL are asked for at once, or when it is their turn.
    monkeypatch.setattr(sqlite_file, "_NEWER_BYTES", chance.choice([0, 1 << 24]))
    monkeypatch.setattr(sqlite_file, "_ASKING_COSTS", 0)
    path = made(tmp_path / "a.db", page_size=chance.choice([512, 1024, 4096]))
    with Client(path, lock_wait=0) as writer, Client(path, lock_wait=0) as reader:
        writer.answer(f"PRAGMA wal_autocheckpoint = {chance.choice([0, 3, 20])}")
        for _ in range(6):
            for _ in range(chance.randrange(5)):
                step(chance, writer, reader)
            with reading(path) as (connection, file):
                assert file is not None
                found = b""
                for piece in file.chunks(4096):
                    found += piece
                    step(chance, writer, reader)
                assert found == by_sqlite(connection)


@pytest.mark.parametrize("mode", JOURNAL_MODES)
def test_the_file_is_read_past_sqlite_wherever_it_can_be(tmp_path: Path, mode: str) -> None:
    path = made(tmp_path / "a.db", mode=mode)
    with Client(path) as client:
        client.rows("UPDATE t SET x = randomblob(80) WHERE id < 9")
        with reading(path) as (connection, file):
            assert file is not None
            assert b"".join(file.chunks(1024)) == by_sqlite(connection)


def test_pages_that_only_the_wal_has_are_there(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", rows=1)
    with Client(path) as client:
        client.rows("PRAGMA wal_autocheckpoint = 0")
        client.rows(ROWS.format(300))
        with reading(path) as (connection, file):
            assert file is not None
            assert path.stat().st_size < len(by_sqlite(connection)) // 10
            assert b"".join(file.chunks(1024)) == by_sqlite(connection)


@pytest.mark.parametrize(("changed", "all_asked"), [(9, False), (400, True)])
def test_with_much_in_the_wal_pages_are_asked_for_in_their_turn_or_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: int, all_asked: bool
) -> None:
    monkeypatch.setattr(sqlite_file, "_NEWER_BYTES", 1 << 12)
    path = made(tmp_path / "a.db")
    with Client(path) as client:
        client.rows("PRAGMA wal_autocheckpoint = 0")
        client.rows(f"UPDATE t SET x = zeroblob(length(x)) WHERE id <= {changed}")
        with reading(path) as (_, file):
            assert (file is None) == all_asked
            assert file is None or not file.asks_no_more
        with SqliteEngine(path).snapshot() as snapshot:
            content = b"".join(snapshot.blocks(4096))
            assert snapshot.facts["tables"] == {"t": 400}
    assert content == b"".join(pages_of(path))


def test_a_file_that_came_in_its_place_is_not_taken_for_it(tmp_path: Path) -> None:
    path, other = made(tmp_path / "a.db"), made(tmp_path / "b.db", rows=300)
    seen = seen_at(path)
    with opened(path, lock_wait=5) as connection:
        connection.execute("BEGIN")
        held = by_sqlite(connection)
        path.rename(tmp_path / "old.db")
        other.rename(path)
        assert file_pages(connection, path, seen) is None
        assert by_sqlite(connection) == held


def test_where_this_process_has_the_file_open_otherwise_sqlite_reads(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db")
    with connected(path) as other, reading(path) as (connection, file):
        assert other.execute("SELECT count(*) FROM t").fetchone() == (400,)
        assert file is None
        assert by_sqlite(connection) == b"".join(pages_of(path))


@pytest.mark.parametrize("mode", JOURNAL_MODES)
def test_locks_of_this_process_outlast_a_snapshot(tmp_path: Path, mode: str) -> None:
    path = made(tmp_path / "a.db", mode=mode)
    with connected(path) as ours, Client(path, lock_wait=0) as client:
        ours.execute("BEGIN IMMEDIATE")
        with SqliteEngine(path).snapshot() as snapshot:
            assert b"".join(snapshot.blocks(4096))
        assert client.answer("BEGIN IMMEDIATE") == {"error": "database is locked"}
        ours.execute("ROLLBACK")
        assert client.answer("BEGIN IMMEDIATE") == {"rows": []}


@pytest.mark.parametrize("mode", JOURNAL_MODES)
def test_locks_of_the_snapshot_hold_while_the_file_is_read(tmp_path: Path, mode: str) -> None:
    path = made(tmp_path / "a.db", mode=mode)
    with Client(path, lock_wait=0) as client:
        with reading(path) as (connection, file):
            assert file is not None
            pieces = file.chunks(1024)
            found = next(pieces)
            # In WAL mode nobody restarts the WAL, in the others nobody commits.
            answer = client.answer("UPDATE t SET x = randomblob(90)")
            assert answer == ({"rows": []} if mode == "wal" else {"error": "database is locked"})
            found += b"".join(pieces)
            assert found == by_sqlite(connection)
        assert client.answer("UPDATE t SET x = randomblob(90)") == {"rows": []}


def test_a_transaction_that_ends_meanwhile_is_noticed(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db")
    with reading(path) as (connection, file):
        assert file is not None
        pieces = file.chunks(1024)
        next(pieces)
        connection.execute("ROLLBACK")  # as SQLite does by itself after some errors of the disk
        with pytest.raises(DatabaseUnreachable):
            list(pieces)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_file_that_is_cut_off_meanwhile_is_no_snapshot(tmp_path: Path, mode: str) -> None:
    path = made(tmp_path / "a.db", mode=mode)
    with reading(path) as (_, file):
        assert file is not None
        pieces = file.chunks(1024)
        next(pieces)
        with open(path, "r+b") as other:
            other.truncate(16 * 1024)
        with pytest.raises(DatabaseUnreachable):
            list(pieces)


def test_a_database_that_moved_with_its_wal_is_read_where_it_is(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db")
    (tmp_path / "new").mkdir()
    moved = tmp_path / "new" / "a.db"
    with Client(path) as client:
        client.rows("PRAGMA wal_autocheckpoint = 0")
        client.rows("UPDATE t SET x = 'newer'")
        for suffix in ("", "-wal", "-shm"):
            (tmp_path / f"a.db{suffix}").rename(f"{moved}{suffix}")
        path.symlink_to(moved)
        expected = b"".join(pages_of(moved))
        with SqliteEngine(path).snapshot() as snapshot:
            assert b"".join(snapshot.blocks(4096)) == expected
