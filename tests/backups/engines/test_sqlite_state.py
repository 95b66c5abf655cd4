"""An unchanged database is known without being read, and a changed one never passes for it."""

import os
import time
from pathlib import Path

import pytest

from backups.engines import sqlite_state
from backups.engines.sqlite import SqliteEngine

from .sqlite_files import JOURNAL_MODES, Client, connected, make_database


def settled(path: Path) -> str:
    """The state, once the last write is long enough ago."""
    deadline = time.monotonic() + sqlite_state.SETTLED_SECONDS + 5
    engine = SqliteEngine(path)
    while not (state := engine.state()):
        assert time.monotonic() < deadline
        time.sleep(0.05)  # nothing tells when a clock has moved on
    return state


@pytest.fixture(autouse=True)
def quickly_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_state, "SETTLED_SECONDS", 0.3)


def database(tmp_path: Path, mode: str) -> Path:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", "CREATE TABLE t(x)")
    return path


def test_there_is_none_right_after_a_write_nor_of_a_file_from_the_future(tmp_path: Path) -> None:
    path = database(tmp_path, "wal")
    assert SqliteEngine(path).state() == ""
    assert settled(path)
    os.utime(path, (0, time.time() + 1000))
    assert SqliteEngine(path).state() == ""


def test_there_is_none_of_a_missing_or_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    assert SqliteEngine(path).state() == ""
    path.touch()
    os.utime(path, (0, 0))
    assert SqliteEngine(path).state() == ""


@pytest.mark.parametrize("mode", sorted(set(JOURNAL_MODES) - {"wal"}))
def test_it_stays_while_others_read_and_changes_with_each_commit(tmp_path: Path, mode: str) -> None:
    path = database(tmp_path, mode)
    with Client(path) as client:
        seen = [settled(path)]
        for number in range(5):
            client.rows("SELECT * FROM t")
            with SqliteEngine(path).snapshot() as snapshot:
                list(snapshot.blocks(4096))
            assert settled(path) == seen[-1]
            client.rows(f"UPDATE t SET x = {number}")
            client.rows(f"INSERT INTO t VALUES ({number})")
            seen.append(settled(path))
        assert len(set(seen)) == len(seen)


def test_there_is_none_beside_a_wal_with_bytes(tmp_path: Path) -> None:
    """Its commits become visible through memory, after the last write to any file."""
    path = database(tmp_path, "wal")
    before = settled(path)
    with Client(path) as client:
        client.rows("SELECT * FROM t")
        assert settled(path) == before, "a -wal file without bytes holds nothing"
        client.rows("INSERT INTO t VALUES (1)")
        wal = path.with_name("a.db-wal")
        for file in (path, wal):
            os.utime(file, (0, 0))
        until = time.monotonic() + 2 * sqlite_state.SETTLED_SECONDS
        while time.monotonic() < until:
            assert SqliteEngine(path).state() == ""
        client.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        assert settled(path) != before


def test_a_file_in_the_place_of_another_changes_it_even_with_the_same_times(
    tmp_path: Path,
) -> None:
    path = database(tmp_path, "delete")
    before, found = settled(path), path.stat()
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
    copy.rename(path)
    assert settled(path) != before


def test_times_that_are_put_back_change_it(tmp_path: Path) -> None:
    path = database(tmp_path, "delete")
    before, found = settled(path), path.stat()
    with connected(path) as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert settled(path) != before


def test_there_is_none_on_file_systems_that_may_tell_late_and_another_after_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = database(tmp_path, "wal")
    before = settled(path)
    boot, mounts = tmp_path / "boot", tmp_path / "mounts"
    boot.write_text("another start of the machine\n")
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_state, "_BOOT", boot)
        assert settled(path) not in ("", before)
    mounts.write_text(
        "21 1 8:1 / / rw - ext4 /dev/a rw\n"
        f"22 21 0:40 / {tmp_path} rw shared:1 - nfs4 host:/a rw\n"
        f"23 21 8:2 / {tmp_path}-not rw - ext4 /dev/b rw\n"
    )
    monkeypatch.setattr(sqlite_state, "_MOUNTS", mounts)
    assert SqliteEngine(path).state() == ""
    mounts.write_text(mounts.read_text() + f"24 22 8:3 / {tmp_path} rw - xfs /dev/c rw\n")
    assert SqliteEngine(path).state() != ""
    mounts.write_text(mounts.read_text() + f"25 21 0:41 / {tmp_path.parent} rw - ext4 /dev/d rw\n")
    assert SqliteEngine(path).state() == "", "a later mount on a folder above may hide it"
