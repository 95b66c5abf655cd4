"""What a restore promises where the version's pages are divided otherwise than the live ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backups.engines.blocks import cut
from backups.engines.interface import Snapshot
from backups.engines.sqlite import SqliteEngine
from backups.errors import DatabaseBusy, EncodingDiffers, ObjectDamaged

from .sqlite_files import (
    JOURNAL_MODES,
    Client,
    DamagedAtTheEnd,
    PagesContent,
    comparable,
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
)
# More than the backup API is given at once.
LARGER = (
    "CREATE TABLE large(x)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90)"
    " INSERT INTO large(x) SELECT randomblob(100000) FROM n",
)


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


def version_of(folder: Path, page_size: int, *statements: str) -> list[bytes]:
    path = folder / "version.db"
    make_database(path, f"PRAGMA page_size = {page_size}", *statements)
    pages = pages_of(path)
    path.unlink()
    return pages


def mode_of(path: Path) -> str:
    return str(rows_of(path, "PRAGMA journal_mode")[0][0])


def assert_holds(path: Path, pages: list[bytes]) -> None:
    assert comparable(pages_of(path)) == comparable(pages)
    assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]
    make_database(path, "CREATE TABLE later(x)", "INSERT INTO later VALUES (randomblob(90000))")
    assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("mode", JOURNAL_MODES)
@pytest.mark.parametrize(
    ("live_size", "version_size"), [(4096, 512), (4096, 65536), (1024, 4096), (65536, 4096)]
)
@pytest.mark.parametrize(
    ("live", "version"), [(SMALL, LARGE), (LARGE, SMALL), (LARGE, LARGER), ((), SMALL)]
)
def test_the_database_holds_the_version(
    tmp_path: Path,
    mode: str,
    live_size: int,
    version_size: int,
    live: tuple[str, ...],
    version: tuple[str, ...],
) -> None:
    path = tmp_path / "a.db"
    make_database(
        path,
        f"PRAGMA page_size = {live_size}",
        f"PRAGMA journal_mode = {mode}",
        "PRAGMA user_version = 3",
        *live,
    )
    held = pages_of(path)
    pages = version_of(tmp_path, version_size, *version)
    kept: list[bytes] = []

    def keep(moment: Snapshot) -> None:
        kept.extend(bytes(page) for page in cut(moment.blocks(live_size), live_size))

    restore(path, PagesContent(pages), keep=keep)
    assert comparable(kept) == comparable(held)
    assert mode_of(path) == (mode if mode == "wal" else "delete")
    assert path.stat().st_size == sum(map(len, pages))
    assert_holds(path, pages)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.db"]


def make_reserving(path: Path, reserved: int, *statements: str) -> None:
    """A database whose pages each end with so many bytes that SQLite leaves alone."""
    make_database(path, "VACUUM")
    page = bytearray(path.read_bytes())
    page[20] = reserved
    page[105:107] = (4096 - reserved).to_bytes(2, "big")  # where the cells of the first page begin
    path.write_bytes(page)
    make_database(path, *statements)
    assert pages_of(path)[0][20] == reserved
    assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize(("live_reserved", "version_reserved"), [(0, 8), (16, 0), (0, 255)])
def test_reserved_bytes_come_and_go(
    tmp_path: Path, mode: str, live_reserved: int, version_reserved: int
) -> None:
    path, version = tmp_path / "a.db", tmp_path / "version.db"
    make_reserving(path, live_reserved, f"PRAGMA journal_mode = {mode}", *SMALL)
    make_reserving(version, version_reserved, *LARGE)
    pages = pages_of(version)
    restore(path, PagesContent(pages))
    assert mode_of(path) == mode
    assert_holds(path, pages)


@pytest.mark.parametrize("mode", ["delete", "truncate"])
@pytest.mark.parametrize("cookie", [1, 70000])
def test_other_programs_go_on_with_the_new_content(tmp_path: Path, mode: str, cookie: int) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", "CREATE TABLE a1(x)")
    make_database(path, f"PRAGMA schema_version = {cookie}")
    pages = version_of(tmp_path, 8192, "CREATE TABLE b1(x)", "INSERT INTO b1 VALUES ('kept')")
    with Client(path) as reader, Client(path) as writer:
        writer.rows("INSERT INTO a1 VALUES ('old')")
        assert reader.rows("SELECT x FROM a1") == [["old"]]
        seen: list[str] = []

        def look(mark: str) -> None:
            with Client(path, lock_wait=0) as other:
                seen.append(other.answer("SELECT * FROM a1")["error"])

        restore(path, PagesContent(pages), before_commit=look)
        assert seen == ["database is locked"]
        assert "no such table" in writer.answer("INSERT INTO a1 VALUES ('stray')")["error"]
        writer.rows("INSERT INTO b1 VALUES ('later')")
        assert reader.rows("SELECT x FROM b1") == [["kept"], ["later"]]
        assert reader.rows("PRAGMA page_size") == [[8192]]
        assert reader.rows("PRAGMA integrity_check") == [["ok"]]


def test_what_an_open_connection_remembers_is_never_taken_for_the_new_content(
    tmp_path: Path,
) -> None:
    """The version's first page has the change counter, and all else that SQLite compares, of what
    the connection has read last."""
    path = tmp_path / "a.db"
    make_database(path, *SMALL)
    pages = version_of(tmp_path, 8192, "CREATE TABLE small(x)", "INSERT INTO small VALUES (2)")
    with Client(path) as client:
        assert client.rows("SELECT x FROM small") == [[1]]
        first = bytearray(pages[0])
        first[24:40] = pages_of(path)[0][24:40]
        restore(path, PagesContent([bytes(first), *pages[1:]]))
        assert client.rows("SELECT x FROM small") == [[2]]


@pytest.mark.parametrize(
    ("mode", "lock"),
    [
        ("wal", "SELECT 1 FROM small"),
        ("wal", "BEGIN; SELECT * FROM small"),
        ("wal", "BEGIN IMMEDIATE"),
        ("delete", "BEGIN; SELECT * FROM small"),
        ("delete", "BEGIN IMMEDIATE"),
    ],
)
def test_a_database_that_others_use_is_busy_and_unchanged(
    tmp_path: Path, mode: str, lock: str
) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *SMALL)
    pages = version_of(tmp_path, 8192, *LARGE)
    kept: list[Snapshot] = []
    with Client(path) as client:
        for statement in lock.split("; "):
            client.rows(statement)
        with pytest.raises(DatabaseBusy, match="nothing was changed"):
            restore(path, PagesContent(pages), lock_wait=0.05, keep=kept.append)
        assert not kept
        if lock.startswith("BEGIN"):
            client.rows("COMMIT")
        client.rows("INSERT INTO small VALUES (2)")
        assert client.rows("SELECT x FROM small") == [[1], [2]]
        assert client.rows("PRAGMA journal_mode") == [[mode]]
    restore(path, PagesContent(pages), lock_wait=0.05)
    assert_holds(path, pages)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_nobody_writes_between_what_is_kept_and_the_commit(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *SMALL)
    pages = version_of(tmp_path, 1024, *LARGER)
    answers: list[str] = []

    def attempt(*_: object) -> None:
        with Client(path, lock_wait=0) as other:
            answers.append(other.answer("INSERT INTO small VALUES ('lost')").get("error", "done"))

    restore(
        path,
        PagesContent(pages),
        keep=attempt,
        progress=lambda *_: attempt() if answers else None,
        before_commit=attempt,
    )
    assert len(answers) >= 4
    assert set(answers) == {"database is locked"}
    assert_holds(path, pages)


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("version", [SMALL, LARGER])
def test_whatever_is_raised_on_the_way_changes_nothing(
    tmp_path: Path, mode: str, version: tuple[str, ...]
) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *LARGE)
    pages = version_of(tmp_path, 8192, *version)
    held = pages_of(path)

    def stopped_at(step: int) -> bool:
        """Whether there were so many steps."""
        steps = 0

        def count(*_: object) -> None:
            nonlocal steps
            steps += 1
            if steps == step:
                raise Stop

        try:
            restore(path, PagesContent(pages), keep=count, before_commit=count, progress=count)
        except Stop:
            assert comparable(pages_of(path)) == comparable(held)
            assert mode_of(path) == mode
            assert [entry.name for entry in tmp_path.iterdir()] == ["a.db"]
            return True
        return False

    # Few of the many while the copy is written, all that come then.
    step = 1
    while stopped_at(step):
        step += 1 if step < 3 or step > len(pages) // 3 else len(pages) // 9
    assert step > 4
    assert_holds(path, pages)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_content_that_turns_out_damaged_changes_nothing(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *SMALL)
    held = path.read_bytes()
    pages = version_of(tmp_path, 8192, *LARGE)
    with pytest.raises(ObjectDamaged):
        restore(path, DamagedAtTheEnd(pages))
    assert path.read_bytes() == held


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_what_its_hash_proves_comes_back_whatever_sqlite_says_of_it(
    tmp_path: Path, mode: str
) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *SMALL)
    pages = version_of(tmp_path, 8192, *LARGE)
    broken = [*pages[:5], bytes([9]) * 8192, *pages[6:]]
    restore(path, PagesContent(broken, facts={"structure_checked": True}))
    assert path.read_bytes()[100:] == b"".join(broken)[100:]


def test_another_encoding_is_refused_here_too(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    make_database(path, *SMALL)
    held = path.read_bytes()
    pages = version_of(tmp_path, 8192, "PRAGMA encoding = 'UTF-16le'", *SMALL)
    with pytest.raises(EncodingDiffers):
        restore(path, PagesContent(pages))
    assert path.read_bytes() == held


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_the_mark_is_reached_by_the_commit_and_by_nothing_else(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *SMALL)
    engine = SqliteEngine(path, lock_wait=1, scratch=tmp_path)
    pages = version_of(tmp_path, 8192, *LARGE)
    marks: list[str] = []

    def note(mark: str) -> None:
        marks.append(mark)
        raise Stop

    with pytest.raises(Stop):
        restore(path, PagesContent(pages), before_commit=note)
    make_database(path, "CREATE TABLE another(x)", "CREATE TABLE one_more(x)")
    assert not engine.holds(marks[0])
    restore(path, PagesContent(pages), before_commit=marks.append)
    assert engine.holds(marks[1])
    make_database(path, "CREATE TABLE another(x)")
    assert engine.holds(marks[1])
