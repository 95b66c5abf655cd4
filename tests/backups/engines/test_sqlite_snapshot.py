"""What a snapshot of a SQLite database promises."""

import errno
import os
import queue
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from backups.engines import sqlite_facts, sqlite_snapshot, sqlite_spool
from backups.engines.blocks import cut, recut
from backups.engines.sqlite import SqliteEngine
from backups.errors import (
    BackupsError,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseFull,
    DatabaseMissing,
    DatabaseUnreachable,
    NotADatabase,
)

from .sqlite_files import (
    JOURNAL_MODES,
    Client,
    busy_writer,
    connected,
    make_accounts,
    make_database,
    pages_of,
)


def snapshot_bytes(path: Path, *, block_size: int = 1 << 16) -> bytes:
    with SqliteEngine(path).snapshot() as snapshot:
        content = b"".join(snapshot.blocks(block_size))
        assert len(content) == snapshot.size == snapshot.units * snapshot.unit_size
        return content


@pytest.mark.parametrize("mode", JOURNAL_MODES)
@pytest.mark.parametrize("page_size", [512, 1024, 4096, 65536])
def test_a_snapshot_is_the_database_byte_for_byte(
    tmp_path: Path, mode: str, page_size: int
) -> None:
    path = tmp_path / "a.db"
    make_database(
        path,
        f"PRAGMA page_size = {page_size}",
        f"PRAGMA journal_mode = {mode}",
        "CREATE TABLE t(x)",
        "INSERT INTO t VALUES (randomblob(300000))",
    )
    assert snapshot_bytes(path) == b"".join(pages_of(path))
    assert snapshot_bytes(path) == path.read_bytes()  # nobody has it open


@pytest.mark.parametrize("block_size", [100, 4096, 5000, 1 << 16, 1 << 20])
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_blocks_come_whole_and_in_order(tmp_path: Path, mode: str, block_size: int) -> None:
    path = tmp_path / "a.db"
    make_database(
        path,
        f"PRAGMA journal_mode = {mode}",
        "CREATE TABLE t(x)",
        "INSERT INTO t VALUES (randomblob(90000))",
    )
    with SqliteEngine(path).snapshot() as snapshot:
        blocks = list(snapshot.blocks(block_size))
    assert all(blocks)
    assert not any(len(block) % block_size for block in blocks[:-1])
    assert b"".join(blocks) == path.read_bytes()


def test_recut_keeps_all_bytes() -> None:
    chunks = [b"abc", b"", b"defgh", b"i", b"jklmnop"]
    for size in range(1, 18):
        pieces = list(recut(iter(chunks), size))
        assert b"".join(pieces) == b"abcdefghijklmnop"
        assert all(piece and len(piece) % size == 0 for piece in pieces[:-1])
        assert b"".join(cut(pieces, size)) == b"abcdefghijklmnop"
        assert {len(piece) for piece in list(cut(pieces, size))[:-1]} <= {size}


@pytest.mark.parametrize("mode", JOURNAL_MODES)
def test_writers_go_on_while_blocks_are_read_and_do_not_show(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    make_database(
        path,
        f"PRAGMA journal_mode = {mode}",
        "CREATE TABLE t(x)",
        "INSERT INTO t VALUES (randomblob(3000000))",
    )
    before = b"".join(pages_of(path))
    with Client(path) as client, SqliteEngine(path, lock_wait=1).snapshot() as snapshot:
        blocks = snapshot.blocks(4096)
        content = next(blocks)
        assert client.answer("UPDATE t SET x = randomblob(3000000)") == {"rows": []}
        content += b"".join(blocks)
    assert content == before
    assert b"".join(pages_of(path)) != before


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_snapshots_under_a_busy_writer_are_whole(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    total = make_accounts(path, mode=mode)
    snapshots = []
    with busy_writer(path) as stop:
        engine = SqliteEngine(path, lock_wait=60)
        for _ in range(15):
            with engine.snapshot() as snapshot:
                snapshots.append(b"".join(snapshot.blocks(1 << 16)))
        made = stop()
    assert made > 1
    assert len(set(snapshots)) > 1  # the writer was at work in between
    for number, content in enumerate(snapshots):
        copy = tmp_path / f"copy-{number}.db"
        copy.write_bytes(content)
        with connected(copy) as connection:
            assert connection.execute("SELECT sum(balance) FROM accounts").fetchone() == (total,)
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_facts_are_those_of_the_moment(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    make_database(
        path,
        "PRAGMA encoding = 'UTF-16le'",
        "PRAGMA journal_mode = wal",
        'CREATE TABLE "od""d name"(x)',
        'INSERT INTO "od""d name" VALUES (1), (2)',
        "CREATE TABLE sqlitish(x INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE VIRTUAL TABLE words USING fts5(text)",
        "PRAGMA user_version = 7",
        "PRAGMA application_id = -3",
    )
    with SqliteEngine(path).snapshot() as snapshot:
        facts = snapshot.facts
        assert snapshot.tools["sqlite"].startswith("3.")
    assert facts["tables"]['od"d name'] == 2
    assert facts["tables"]["sqlitish"] == 0
    assert "words" not in facts["tables"] and "sqlite_sequence" not in facts["tables"]
    assert facts["encoding"] == "UTF-16le"
    assert facts["journal_mode"] == "wal"
    assert (facts["user_version"], facts["application_id"]) == (7, -3)


def test_a_count_that_takes_too_long_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    make_accounts(path, mode="wal", accounts=400_000)
    with connected(path) as connection:
        connection.execute("BEGIN")
        facts = sqlite_facts.database_facts(connection, budget=0.0001)
        # the transaction is as usable as before
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (400_000,)
    assert facts["tables"] == {"accounts": None}
    assert facts["journal_mode"] == "wal"


def test_an_empty_file_has_no_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.touch()
    with SqliteEngine(path).snapshot() as snapshot:
        assert (snapshot.units, snapshot.size) == (0, 0)
        assert list(snapshot.blocks(4096)) == []
        assert snapshot.facts["tables"] == {}
    assert path.stat().st_size == 0


def refusal(path: Path, **options: Any) -> BackupsError:
    with (
        pytest.raises(BackupsError) as caught,
        SqliteEngine(path, **options).snapshot() as snapshot,
    ):
        list(snapshot.blocks(4096))
        snapshot.facts  # noqa: B018
    assert str(path.parent) not in caught.value.reason
    return caught.value


def test_a_missing_database_is_not_made(tmp_path: Path) -> None:
    assert type(refusal(tmp_path / "a.db")) is DatabaseMissing
    assert type(refusal(tmp_path / "none" / "a.db")) is DatabaseMissing
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_bytes(b"no database at all " * 1000)
    assert type(refusal(tmp_path / "text.db")) is NotADatabase
    (tmp_path / "folder.db").mkdir()
    assert type(refusal(tmp_path / "folder.db")) is NotADatabase


def test_a_database_with_a_broken_schema_is_refused_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    make_database(path, "CREATE TABLE t(x)", "CREATE TABLE u(x)")
    content = bytearray(path.read_bytes())
    content[100] = 99  # no kind of page that there is
    path.write_bytes(content)
    assert type(refusal(path)) is DatabaseDamaged


def test_the_connection_is_asked_for_nothing_while_it_is_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite holds a lock of the connection all through a statement, and the driver the
    interpreter's while it waits for that: a look that ticks meanwhile would never end."""
    path = tmp_path / "a.db"
    make_database(path, "PRAGMA journal_mode = wal", "CREATE TABLE t(x)")
    looking, go_on, order = threading.Event(), threading.Event(), queue.SimpleQueue[str]()

    def slow(*_: Any, **__: Any) -> dict[str, Any]:
        looking.set()
        assert go_on.wait(30)
        order.put("looked")
        return {}

    monkeypatch.setattr(sqlite_snapshot, "examined_facts", slow)
    with SqliteEngine(path).snapshot() as snapshot:

        def read() -> None:
            for piece in snapshot.blocks(4096):
                order.put(f"{len(piece)} bytes")
            order.put("read")

        snapshot.begin_facts()
        assert looking.wait(30)
        reader = threading.Thread(target=read)
        reader.start()
        assert order.get(timeout=30) == f"{snapshot.size} bytes"
        reader.join(0.5)  # it must not end by itself
        go_on.set()
        reader.join(30)
    assert (order.get(), order.get()) == ("looked", "read")


def test_a_locked_database_is_busy_after_the_lock_wait(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    make_database(path, "CREATE TABLE t(x)")
    with Client(path) as client:
        client.rows("BEGIN EXCLUSIVE")
        assert type(refusal(path, lock_wait=0.05)) is DatabaseBusy
        client.rows("COMMIT")
        assert snapshot_bytes(path)


def test_a_signal_that_raises_ends_the_wait_for_a_lock(tmp_path: Path) -> None:
    class Timeout(BaseException):
        pass

    def expire(*_: object) -> None:
        raise Timeout

    path = tmp_path / "a.db"
    make_database(path, "CREATE TABLE t(x)")
    before = signal.signal(signal.SIGALRM, expire)
    try:
        with Client(path) as client:
            client.rows("BEGIN EXCLUSIVE")
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with (
                pytest.raises(Timeout),
                SqliteEngine(path, lock_wait=60).snapshot() as snapshot,
            ):
                assert snapshot.units == 0  # never gets here
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_full_scratch_folder_is_told_and_frees_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    make_database(path, "CREATE TABLE t(x)")

    class FullDisk:
        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def write(self, *_: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_spool, "os", FullDisk())
        assert type(refusal(path)) is DatabaseFull
    assert type(refusal(path, scratch=tmp_path / "none")) is DatabaseUnreachable
    with Client(path, lock_wait=0) as client:
        client.rows("INSERT INTO t VALUES (1)")


def test_no_copy_stays_in_the_scratch_folder_even_while_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    make_database(path, "CREATE TABLE t(x)")
    with SqliteEngine(path, scratch=scratch).snapshot() as snapshot:
        next(snapshot.blocks(4096))
        assert list(scratch.iterdir()) == []
