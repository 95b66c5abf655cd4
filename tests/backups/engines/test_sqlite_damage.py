"""A damaged database is refused with its reason, and kept as it is for whoever insists."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backups.engines.sqlite import SqliteEngine
from backups.errors import DatabaseDamaged, ObjectDamaged
from backups.pipeline import Taken, VersionLabel, restore, take

from ..versions import small_project
from .sqlite_files import comparable, ignore, make_database, pages_of, rows_of

PAGE = 512


def sound(path: Path, mode: str) -> None:
    make_database(
        path,
        f"PRAGMA page_size = {PAGE}",
        f"PRAGMA journal_mode = {mode}",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, x)",
        "CREATE INDEX by_x ON t(x)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
        " INSERT INTO t(x) SELECT hex(randomblob(20)) FROM n",
    )


def wiped(content: bytearray, page: int) -> None:
    content[(page - 1) * PAGE : page * PAGE] = bytes(PAGE)


def zeroed_leaf(content: bytearray) -> None:
    """A page of the table, in its middle, lost to zeros: opening and counting may miss it."""
    wiped(content, len(content) // PAGE // 2)


def broken_schema(content: bytearray) -> None:
    content[100] = 99


def wrong_order(content: bytearray) -> None:
    """Rows of a table in another order: only a check of the whole structure finds that."""
    page = next(
        number for number in range(3, len(content) // PAGE) if content[(number - 1) * PAGE] == 13
    )
    at = (page - 1) * PAGE + 8
    content[at : at + 2], content[at + 2 : at + 4] = content[at + 2 : at + 4], content[at : at + 2]


def cut_off(content: bytearray) -> None:
    del content[-3 * PAGE :]


DAMAGES = (zeroed_leaf, broken_schema, wrong_order, cut_off)


def damaged(path: Path, mode: str, damage: Callable[[bytearray], None]) -> None:
    sound(path, mode)
    content = bytearray(path.read_bytes())
    damage(content)
    path.write_bytes(content)


def version_of(path: Path, project: Any, **options: Any) -> Taken:
    return take(
        SqliteEngine(path, check_seconds=60),
        project,
        VersionLabel(1, "a", "me", 0.0),
        parent_key=None,
        progress=ignore,
        **options,
    )


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_refused_and_nothing_is_stored(
    tmp_path: Path, mode: str, damage: Callable[[bytearray], None]
) -> None:
    path, project = tmp_path / "a.db", small_project(unit=PAGE)
    damaged(path, mode, damage)
    content = path.read_bytes()
    with pytest.raises(DatabaseDamaged) as caught:
        version_of(path, project)
    assert "damage" in caught.value.reason
    assert list(project.store.list("")) == []
    assert path.read_bytes() == content


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_who_insists_gets_it_back_bit_for_bit_with_its_damage_told(
    tmp_path: Path, mode: str, damage: Callable[[bytearray], None]
) -> None:
    path, project = tmp_path / "a.db", small_project(unit=PAGE)
    damaged(path, mode, damage)
    content = path.read_bytes()
    taken = version_of(path, project, keep_damaged=True)
    assert "damage" in taken.facts["damage"]
    copy = tmp_path / "copy.db"
    restore(SqliteEngine(copy), project, taken.manifest_key, before_commit=ignore, progress=ignore)
    assert copy.read_bytes() == content


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_damaged_one_in_place_of_a_sound_one_and_back(tmp_path: Path, mode: str) -> None:
    path, project = tmp_path / "a.db", small_project(unit=PAGE)
    damaged(path, mode, wrong_order)
    bad = comparable(pages_of(path))
    taken = version_of(path, project, keep_damaged=True)
    path.unlink()
    sound(path, mode)
    restore(SqliteEngine(path), project, taken.manifest_key, before_commit=ignore, progress=ignore)
    assert comparable(pages_of(path)) == bad


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_to_insist_changes_nothing_for_a_sound_database(tmp_path: Path, mode: str) -> None:
    path, project = tmp_path / "a.db", small_project(unit=PAGE)
    sound(path, mode)
    taken = version_of(path, project, keep_damaged=True)
    assert "damage" not in taken.facts
    assert taken.facts["structure_checked"] is True
    assert taken.facts["tables"] == {"t": 300}


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_without_time_it_is_said_that_nobody_looked(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    damaged(path, mode, wrong_order)
    with SqliteEngine(path, check_seconds=0).snapshot() as snapshot:
        assert snapshot.facts["structure_checked"] is False
        assert "not looked at yet" in snapshot.facts["unchecked"]
        assert "damage" not in snapshot.facts


def test_what_a_check_of_all_found_is_told_by_the_snapshot_that_follows(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    damaged(path, "delete", wrong_order)
    engine = SqliteEngine(path, check_seconds=0, private=True)
    engine.check(lambda: None)
    with engine.snapshot(keep_damaged=True) as snapshot:
        assert "out of order" in snapshot.facts["damage"]
    with engine.snapshot() as snapshot, pytest.raises(DatabaseDamaged, match="out of order"):
        snapshot.facts  # noqa: B018


def test_a_check_of_all_passes_what_stops_it_on(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    sound(path, "wal")
    make_database(
        path,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        " INSERT INTO t(x) SELECT hex(i) FROM n",
    )

    def stop() -> None:
        raise ObjectDamaged("stopped")

    with pytest.raises(ObjectDamaged, match="stopped"):
        SqliteEngine(path).check(stop)
    assert rows_of(path, "SELECT count(*) FROM t") == [(100300,)]


def test_a_table_that_no_query_can_name_keeps_no_database_from_being_backed_up(
    tmp_path: Path,
) -> None:
    path, project = tmp_path / "a.db", small_project(unit=PAGE)
    sound(path, "delete")
    make_database(
        path,
        "CREATE TABLE odd(x)",
        "PRAGMA writable_schema = 1",
        "UPDATE sqlite_schema SET name = name || char(0) || 'x' WHERE name = 'odd'",
    )
    assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]
    taken = version_of(path, project)
    assert taken.facts["tables"] == {"t": 300}
    copy = tmp_path / "copy.db"
    restore(SqliteEngine(copy), project, taken.manifest_key, before_commit=ignore, progress=ignore)
    assert copy.read_bytes() == path.read_bytes()
