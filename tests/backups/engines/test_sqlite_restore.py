"""What a restore into a SQLite database promises."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backups.engines import sqlite_pages
from backups.engines.interface import Snapshot
from backups.engines.sqlite import SqliteEngine
from backups.errors import (
    BackupsError,
    DatabaseBusy,
    DatabaseUnreachable,
    EncodingDiffers,
    ObjectDamaged,
)

from .sqlite_files import (
    JOURNAL_MODES,
    Client,
    DamagedAtTheEnd,
    PagesContent,
    comparable,
    connected,
    ignore,
    make_database,
    pages_of,
    rows_of,
)

SMALL = ("CREATE TABLE small(x)", "INSERT INTO small VALUES (1)")
LARGE = (
    "CREATE TABLE large(id INTEGER PRIMARY KEY, x)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
    " INSERT INTO large(x) SELECT randomblob(200) FROM n",
    "CREATE INDEX by_x ON large(x)",
)
FREED = (*LARGE, "DELETE FROM large WHERE id > 100")
VACUUMED = "PRAGMA auto_vacuum = 1"


class Stop(BaseException):
    """What a cancelled job raises."""


def restore(
    path: Path,
    content: PagesContent,
    *,
    lock_wait: float = 10,
    keep: Callable[[Snapshot], None] | None = None,
    before_commit: Callable[[str], None] = ignore,
    progress: Callable[[int, int], None] = ignore,
) -> None:
    engine = SqliteEngine(path, lock_wait=lock_wait, scratch=path.parent)
    engine.restore(content, keep=keep, before_commit=before_commit, progress=progress)


def version_of(folder: Path, *statements: str) -> list[bytes]:
    path = folder / "version.db"
    make_database(path, *statements)
    pages = pages_of(path)
    path.unlink()
    return pages


def assert_holds(path: Path, pages: list[bytes]) -> None:
    assert comparable(pages_of(path)) == comparable(pages)
    assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]
    # goes on to work as a database
    make_database(path, "CREATE TABLE later(x)", "INSERT INTO later VALUES (randomblob(90000))")
    assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("mode", JOURNAL_MODES)
@pytest.mark.parametrize(
    ("live", "version"),
    [
        pytest.param(LARGE, LARGE, id="same tables"),
        pytest.param(SMALL, LARGE, id="grows"),
        pytest.param(LARGE, SMALL, id="shrinks"),
        pytest.param(FREED, SMALL, id="shrinks over free pages"),
        pytest.param(SMALL, FREED, id="version has free pages"),
        pytest.param((VACUUMED, *LARGE), (VACUUMED, *SMALL), id="auto-vacuum shrinks"),
        pytest.param((VACUUMED, *SMALL), (VACUUMED, *LARGE), id="auto-vacuum grows"),
        pytest.param((VACUUMED, *LARGE), FREED, id="from auto-vacuum to free pages"),
        pytest.param(FREED, (VACUUMED, *SMALL), id="to auto-vacuum"),
        pytest.param((), LARGE, id="nothing live"),
    ],
)
def test_the_database_holds_the_version(
    tmp_path: Path, mode: str, live: tuple[str, ...], version: tuple[str, ...]
) -> None:
    path = tmp_path / "a.db"
    make_database(path, *live, f"PRAGMA journal_mode = {mode}")
    pages = version_of(tmp_path, *version)
    restore(path, PagesContent(pages))
    assert path.stat().st_size == sum(map(len, pages))
    assert rows_of(path, "PRAGMA journal_mode") == [(mode if mode == "wal" else "delete",)]
    assert_holds(path, pages)
    assert not [name for name in os.listdir(tmp_path) if "savepoint" in name]


@pytest.mark.parametrize("page_size", [512, 65536])
def test_an_empty_file_takes_the_page_size_of_the_version(tmp_path: Path, page_size: int) -> None:
    path = tmp_path / "a.db"
    path.touch()
    pages = version_of(tmp_path, f"PRAGMA page_size = {page_size}", *LARGE)
    restore(path, PagesContent(pages))
    assert_holds(path, pages)


@pytest.mark.parametrize("live_settings", ["PRAGMA user_version = 3", VACUUMED])
def test_a_version_of_an_empty_database_empties(tmp_path: Path, live_settings: str) -> None:
    path = tmp_path / "a.db"
    make_database(path, live_settings, *LARGE)
    restore(path, PagesContent([]))
    assert rows_of(path, "SELECT * FROM sqlite_schema") == []
    assert rows_of(path, "PRAGMA page_count") == [(1,)]
    make_database(path, *LARGE)
    assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]


def test_another_encoding_is_taken_only_where_nothing_lives(tmp_path: Path) -> None:
    pages = version_of(tmp_path, "PRAGMA encoding = 'UTF-16be'", *LARGE)
    path = tmp_path / "a.db"
    path.touch()
    restore(path, PagesContent(pages))
    assert_holds(path, pages)

    other = tmp_path / "b.db"
    make_database(other, *SMALL)
    before = pages_of(other)
    with pytest.raises(EncodingDiffers):
        restore(other, PagesContent(pages))
    assert pages_of(other) == before


def test_a_reader_sees_the_old_then_the_new_and_a_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    make_database(path, "PRAGMA journal_mode = wal", *LARGE)
    pages = version_of(tmp_path, *SMALL)
    with Client(path) as reader, Client(path) as writer:
        writer.rows("INSERT INTO large(x) VALUES ('before')")
        reader.rows("BEGIN")
        assert reader.rows("SELECT count(*) FROM large") == [[3001]]
        seen_inside: list[object] = []

        def look(mark: str) -> None:
            seen_inside.extend(writer.rows("SELECT count(*) FROM large"))

        restore(path, PagesContent(pages), before_commit=look)
        assert seen_inside == [[3001]]
        assert reader.rows("SELECT count(*) FROM large") == [[3001]]
        assert "no such table" in writer.answer("INSERT INTO large(x) VALUES (1)")["error"]
        writer.rows("INSERT INTO small VALUES (2)")
        reader.rows("COMMIT")
        assert reader.rows("SELECT x FROM small") == [[1], [2]]
        assert reader.rows("PRAGMA integrity_check") == [["ok"]]


@pytest.mark.parametrize("mode", JOURNAL_MODES)
def test_an_open_connection_never_uses_the_old_schema_on_the_new_pages(
    tmp_path: Path, mode: str
) -> None:
    path = tmp_path / "a.db"
    # the same schema cookie, the same root page, another table
    make_database(path, f"PRAGMA journal_mode = {mode}", "CREATE TABLE a1(x)")
    pages = version_of(tmp_path, "CREATE TABLE b1(x)", "INSERT INTO b1 VALUES ('kept')")
    with Client(path) as client:
        client.rows("INSERT INTO a1 VALUES ('old')")
        restore(path, PagesContent(pages))
        assert "no such table" in client.answer("INSERT INTO a1 VALUES ('stray')")["error"]
        assert client.rows("SELECT x FROM b1") == [["kept"]]


@pytest.mark.parametrize("mode", JOURNAL_MODES)
@pytest.mark.parametrize("commits", [1, 2, 3])
def test_a_connection_that_committed_last_does_not_go_on_with_the_pages_that_it_remembers(
    tmp_path: Path, mode: str, commits: int
) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", "CREATE TABLE t(x)")
    make_database(path, "INSERT INTO t VALUES (0)")
    pages = pages_of(path)
    with Client(path) as client:
        for _ in range(commits):
            client.rows("UPDATE t SET x = x + 1")
        restore(path, PagesContent(pages))
        client.rows("UPDATE t SET x = x + 1")
        assert client.rows("SELECT x FROM t") == [[1]]


def test_the_schema_cookie_wraps_around(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    make_database(path, *SMALL, "PRAGMA schema_version = -1")
    pages = version_of(tmp_path, *LARGE)
    with Client(path) as client:
        client.rows("SELECT * FROM small")
        restore(path, PagesContent(pages))
        assert client.rows("SELECT count(*) FROM large") == [[3000]]
    assert_holds(path, pages)


@pytest.mark.parametrize(
    ("mode", "lock"),
    [
        ("wal", "BEGIN IMMEDIATE"),
        ("delete", "BEGIN IMMEDIATE"),
        ("delete", "BEGIN; SELECT * FROM small"),
        ("persist", "BEGIN EXCLUSIVE"),
    ],
)
def test_a_locked_database_is_busy_and_unchanged(tmp_path: Path, mode: str, lock: str) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *SMALL)
    pages = version_of(tmp_path, *LARGE)
    with Client(path) as client:
        for statement in lock.split("; "):
            client.rows(statement)
        with pytest.raises(DatabaseBusy, match="nothing was changed"):
            restore(path, PagesContent(pages), lock_wait=0.05)
        client.rows("COMMIT")
        assert client.rows("SELECT x FROM small") == [[1]]
    restore(path, PagesContent(pages), lock_wait=0.05)
    assert_holds(path, pages)


@pytest.mark.parametrize("mode", ["wal", "delete", "missing"])
def test_whatever_is_raised_on_the_way_changes_nothing(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    if mode != "missing":
        make_database(path, f"PRAGMA journal_mode = {mode}", *SMALL)
    pages = version_of(tmp_path, *LARGE)
    before = path.read_bytes() if path.exists() else None
    files = sorted(os.listdir(tmp_path))

    def stopped_at(step: int) -> int:
        """How many steps there were."""
        steps = 0

        def count(*_: object) -> None:
            nonlocal steps
            steps += 1
            if steps == step:
                raise Stop

        if step:
            with pytest.raises(Stop):
                restore(path, PagesContent(pages), before_commit=count, progress=count)
        else:
            restore(path, PagesContent(pages), before_commit=count, progress=count)
        return steps

    # How many steps there will be is known only from one that runs through.
    other = tmp_path / "other"
    other.mkdir()
    if before is not None:
        (other / "a.db").write_bytes(before)
    original, path = path, other / "a.db"
    steps = stopped_at(0)
    path.unlink()
    other.rmdir()
    path = original

    assert steps > 10
    for step in range(1, steps + 1):
        stopped_at(step)
        assert (path.read_bytes() if path.exists() else None) == before
        assert sorted(os.listdir(tmp_path)) == files
    restore(path, PagesContent(pages))
    assert_holds(path, pages)


@pytest.mark.parametrize("mode", ["wal", "delete", "missing"])
def test_progress_never_rises_and_is_at_0_before_the_commit(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    if mode != "missing":
        make_database(path, f"PRAGMA journal_mode = {mode}", *SMALL)
    pages = version_of(tmp_path, *LARGE)
    seen: list[tuple[int, int]] = []
    at_commit: list[int] = []
    restore(
        path,
        PagesContent(pages),
        progress=lambda *step: seen.append(step),
        before_commit=lambda mark: at_commit.append(len(seen)),
    )
    remaining = [step[1] for step in seen]
    assert {total for total, _ in seen} == {len(pages)}
    assert remaining == sorted(remaining, reverse=True)
    assert remaining.index(0) == len(seen) - 1
    assert at_commit == [len(seen)]


@pytest.mark.parametrize("mode", ["wal", "delete", "missing"])
def test_a_content_that_turns_out_damaged_changes_nothing(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    if mode != "missing":
        make_database(path, f"PRAGMA journal_mode = {mode}", *SMALL)
    pages = version_of(tmp_path, *LARGE)
    files = sorted(os.listdir(tmp_path))
    with pytest.raises(ObjectDamaged):
        restore(path, DamagedAtTheEnd(pages))
    assert sorted(os.listdir(tmp_path)) == files
    if mode != "missing":
        assert rows_of(path, "SELECT x FROM small") == [(1,)]


@pytest.mark.parametrize("mode", ["wal", "delete", "missing"])
@pytest.mark.parametrize("facts", [{}, {"structure_checked": True}, {"damage": "known"}])
def test_what_its_hash_proves_comes_back_whatever_sqlite_says_of_it(
    tmp_path: Path, mode: str, facts: dict[str, Any]
) -> None:
    path = tmp_path / "a.db"
    if mode != "missing":
        make_database(path, f"PRAGMA journal_mode = {mode}", *SMALL)
    pages = version_of(tmp_path, *LARGE)
    broken = [*pages[:5], os.urandom(4096), *pages[6:]]
    restore(path, PagesContent(broken, facts=facts))
    assert comparable(pages_of(path)) == comparable(broken)


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("facts", [{}, {"structure_checked": True}, {"damage": "known"}])
def test_a_shorter_one_with_a_broken_schema_takes_the_place_of_a_longer_one(
    tmp_path: Path, mode: str, facts: dict[str, Any]
) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *LARGE)
    pages = version_of(tmp_path, *SMALL)
    broken = [pages[0][:100] + b"\x63" + pages[0][101:], *pages[1:]]
    restore(path, PagesContent(broken, facts=facts))
    held = path.read_bytes()[100 : len(pages) * 4096]
    assert held == b"".join(broken)[100:]
    # and nothing keeps it from being restored again
    restore(path, PagesContent(pages))
    assert comparable(pages_of(path)) == comparable(pages)
    assert rows_of(path, "SELECT x FROM small") == [(1,)]


def test_pages_that_were_not_kept_as_written_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    make_database(path, *SMALL)
    pages = version_of(tmp_path, *LARGE)
    write = sqlite_pages.LivePages._write

    def forget_one(self: sqlite_pages.LivePages, number: int, page: bytes) -> None:
        write(self, number, bytes(4096) if number == 7 else page)

    monkeypatch.setattr(sqlite_pages.LivePages, "_write", forget_one)
    with pytest.raises(DatabaseUnreachable, match="read back"):
        restore(path, PagesContent(pages))
    assert rows_of(path, "SELECT x FROM small") == [(1,)]


@pytest.mark.parametrize("missing", [False, True])
def test_values_and_schemas_that_only_their_application_understands_are_restored(
    tmp_path: Path, missing: bool
) -> None:
    version = tmp_path / "version.db"
    with connected(version) as connection:
        connection.create_function("plausible", 1, lambda x: True, deterministic=True)
        connection.create_collation("phonebook", lambda a, b: (a > b) - (a < b))
        connection.execute("CREATE TABLE t(x CHECK (plausible(x)), y NOT NULL DEFAULT 1)")
        connection.execute("CREATE TABLE u(x TEXT COLLATE phonebook)")
        connection.execute("CREATE INDEX ui ON u(x)")
        connection.execute("INSERT INTO t VALUES (1, 2)")
        connection.execute("INSERT INTO u VALUES ('b'), ('a')")
        connection.execute("CREATE TABLE v(x)")
        connection.execute("INSERT INTO v VALUES (NULL)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = 'CREATE TABLE v(x NOT NULL)' WHERE name = 'v'"
        )
    pages = pages_of(version)
    path = tmp_path / "a.db"
    if not missing:
        make_database(path, *SMALL)
    restore(path, PagesContent(pages))
    assert comparable(pages_of(path)) == comparable(pages)


def test_a_missing_database_is_made_anew_and_private(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    pages = version_of(tmp_path, "PRAGMA journal_mode = wal", *LARGE)
    restore(path, PagesContent(pages))
    assert path.read_bytes() == b"".join(pages)
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["a.db"]
    assert_holds(path, pages)


def test_a_missing_database_may_have_been_an_empty_file(tmp_path: Path) -> None:
    restore(tmp_path / "a.db", PagesContent([]))
    assert (tmp_path / "a.db").read_bytes() == b""


def test_what_a_lost_database_left_beside_it_is_kept_and_not_replayed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    make_database(path, "PRAGMA journal_mode = wal", *SMALL)
    pages = pages_of(path)
    with Client(path) as client:
        client.rows("INSERT INTO small VALUES ('only in the wal')")
        wal = (tmp_path / "a.db-wal").read_bytes()
        assert wal
        path.unlink()
        restore(path, PagesContent(pages))
    assert rows_of(path, "SELECT x FROM small") == [(1,)]
    kept = [entry for entry in tmp_path.iterdir() if ".stale-" in entry.name]
    assert wal in [entry.read_bytes() for entry in kept]


def test_a_database_that_appears_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    (tmp_path / "a.db-journal").write_bytes(b"left behind")

    def appear(mark: str) -> None:
        path.write_bytes(b"x")

    pages = version_of(tmp_path, *LARGE)
    with pytest.raises(DatabaseBusy, match="appeared"):
        restore(path, PagesContent(pages), before_commit=appear)
    assert path.read_bytes() == b"x"
    assert (tmp_path / "a.db-journal").read_bytes() == b"left behind"
    assert sorted(os.listdir(tmp_path)) == ["a.db", "a.db-journal"]


def test_a_link_to_the_database_stays_a_link(tmp_path: Path) -> None:
    target = tmp_path / "real" / "a.db"
    target.parent.mkdir()
    link = tmp_path / "a.db"
    link.symlink_to(target)
    pages = version_of(tmp_path, *LARGE)
    restore(link, PagesContent(pages))
    restore(link, PagesContent(pages))
    assert link.is_symlink()
    assert_holds(target, pages)


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackupsError, match="folder"):
        restore(tmp_path / "none" / "a.db", PagesContent(version_of(tmp_path, *SMALL)))
