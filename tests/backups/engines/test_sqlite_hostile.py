"""A database whose definitions make SQLite work: a check takes neither long nor much, and can be
stopped."""

import resource
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

import pytest

from backups.engines import process, sqlite_child
from backups.engines.sqlite import SqliteEngine
from backups.errors import DatabaseUnreachable
from backups.facts import STRUCTURE_CHECKED, UNCHECKED

from .sqlite_files import PagesContent, ignore

ROWS = 200
DOUBLED = ", ".join(f"d{n} AS (d{n - 1} || d{n - 1})" for n in range(1, 30))
# Each would take from minutes to years, or gigabytes.
HOSTILE = {
    "a search of the product of two lengths": "instr(zeroblob(40000000), zeroblob(20000000) || x'01')",
    "one call that is never interrupted": "instr(zeroblob(400000000), zeroblob(200000000) || x'01')",
    "a replacement": "replace(hex(zeroblob(9000000)), hex(zeroblob(4000000)) || '1', '')",
    "a trim": "trim(hex(zeroblob(9000000)), hex(zeroblob(4000000)))",
    "a pattern": "hex(zeroblob(9000000)) LIKE '%' || hex(zeroblob(20000)) || '1%'",
    "a glob": "hex(zeroblob(9000000)) GLOB '*' || hex(zeroblob(20000)) || '1*'",
    "padding": "length(printf('%900000000d', 1)) + length(printf('%.900000000f', 1))",
    "a gigabyte in digits": "length(hex(zeroblob(450000000)))",
}
SLOW = "length(hex(zeroblob(60000000)))"


def hostile(path: Path, expression: str) -> Path:
    """Its definitions are written past SQLite, which would take as long over them here."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("CREATE TABLE t(x, d0)")
    connection.execute("CREATE INDEX i ON t(length(x))")
    connection.executemany("INSERT INTO t VALUES (?, 'a')", [(n,) for n in range(ROWS)])
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "UPDATE sqlite_schema SET sql = ? WHERE name = 'i'",
        (f"CREATE INDEX i ON t(coalesce({expression}, x))",),
    )
    connection.execute(
        "UPDATE sqlite_schema SET sql = ? WHERE name = 't'",
        (f"CREATE TABLE t(x, d0, y AS ({expression}) NOT NULL)",),
    )
    connection.close()
    return path


def doubling(path: Path) -> Path:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("CREATE TABLE t(x, d0 TEXT)")
    connection.execute("INSERT INTO t VALUES (1, 'aaaaaaaa')")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "UPDATE sqlite_schema SET sql = ? WHERE name = 't'",
        (f"CREATE TABLE t(x, d0 TEXT, {DOUBLED}, y AS (length(d29)) NOT NULL)",),
    )
    connection.close()
    return path


def peak_kilobytes() -> int:
    return max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


@pytest.mark.parametrize("expression", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_backup_of_a_hostile_database_is_done_soon(tmp_path: Path, expression: str) -> None:
    path = hostile(tmp_path / "x.db", expression)
    began = time.monotonic()
    with SqliteEngine(path).snapshot(keep_damaged=True) as snapshot:
        assert b"".join(snapshot.blocks(4096)) == path.read_bytes()
        assert snapshot.facts
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("expression", HOSTILE.values(), ids=HOSTILE.keys())
def test_an_import_of_a_hostile_file_is_looked_at_soon_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expression: str
) -> None:
    monkeypatch.setattr(sqlite_child, "_SECONDS", 1)
    monkeypatch.setattr(sqlite_child, "_STALL_SECONDS", 3.0)
    engine = SqliteEngine(hostile(tmp_path / "x.db", expression), private=True)
    began = time.monotonic()
    with suppress(DatabaseUnreachable):  # it took too much
        engine.check(ignore)
    assert time.monotonic() - began < 15
    assert peak_kilobytes() < 1_500_000


def test_values_that_double_take_no_gigabytes(tmp_path: Path) -> None:
    path = doubling(tmp_path / "x.db")
    for engine in (SqliteEngine(path), SqliteEngine(path, private=True)):
        if engine._private:
            engine.check(ignore)
        with engine.snapshot(keep_damaged=True) as snapshot:
            assert "memory" in snapshot.facts[UNCHECKED]
    assert peak_kilobytes() < 1_000_000


def test_a_cancelled_check_ends_its_process_at_once(tmp_path: Path) -> None:
    path = hostile(tmp_path / "x.db", SLOW)

    class Stop(Exception):
        pass

    began = time.monotonic()

    def tick() -> None:
        if time.monotonic() > began + 0.5:
            raise Stop

    with pytest.raises(Stop):
        SqliteEngine(path, private=True).check(tick)
    assert time.monotonic() - began < 5


@pytest.fixture
def short_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_child, "_STALL_SECONDS", 0.0)
    monkeypatch.setattr(process, "_TICK_SECONDS", 0.01)


@pytest.mark.usefixtures("short_of_time")
def test_a_file_whose_check_takes_too_much_is_refused_or_kept_as_unchecked(tmp_path: Path) -> None:
    path = hostile(tmp_path / "x.db", SLOW)
    engine = SqliteEngine(path, private=True)
    with pytest.raises(DatabaseUnreachable, match="more memory or time"):
        engine.check(ignore)
    with engine.snapshot(keep_damaged=True) as snapshot:
        assert b"".join(snapshot.blocks(4096)) == path.read_bytes()
        assert "more memory or time" in snapshot.facts[UNCHECKED]
        assert snapshot.facts[STRUCTURE_CHECKED] is False
    data = path.read_bytes()
    content = PagesContent([data[at : at + 4096] for at in range(0, len(data), 4096)])
    found = SqliteEngine(path, scratch=tmp_path).examine(content, facts={}, progress=ignore)
    assert "more memory or time" in found.unchecked
    assert not found.damage


def test_functions_on_ordinary_values_are_checked_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("CREATE TABLE t(a TEXT, b AS (replace(a, '-', '')) STORED)")
    connection.execute("CREATE INDEX i ON t(instr(a, 'b'), trim(a, 'x'), ltrim(a, 'x'))")
    connection.execute("CREATE INDEX j ON t(a) WHERE a LIKE 'A%' AND a GLOB 'a*'")
    connection.executemany("INSERT INTO t(a) VALUES (?)", [(f"ab-{n}x",) for n in range(500)])
    connection.close()
    engine = SqliteEngine(path, private=True)
    engine.check(ignore)
    with engine.snapshot() as snapshot:
        assert snapshot.facts[STRUCTURE_CHECKED]
        assert UNCHECKED not in snapshot.facts
        assert "values" not in snapshot.facts
