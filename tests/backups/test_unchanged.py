"""A version of a database that has not been written since the one before costs next to nothing."""

from pathlib import Path

import pytest

from backups.engines import sqlite_state
from backups.engines.sqlite import SqliteEngine
from backups.errors import DatabaseDamaged, SourceError
from backups.pipeline import ProjectStore, Taken, VersionLabel, restore, take
from backups.store.memory import MemoryStore

from .engines.sqlite_files import Client, ignore, make_database
from .versions import small_project

PAGE = 512


class Unreadable(SqliteEngine):
    """A database that must not be read."""

    def snapshot(self, *, keep_damaged: bool = False):  # type: ignore[no-untyped-def]
        raise SourceError("it was read")


@pytest.fixture(autouse=True)
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if each test had waited after its last write; the engine's own tests do wait."""
    monkeypatch.setattr(sqlite_state, "SETTLED_SECONDS", -1.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "a.db"
    make_database(
        made,
        f"PRAGMA page_size = {PAGE}",
        "PRAGMA journal_mode = wal",
        "CREATE TABLE t(x)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
        " INSERT INTO t SELECT hex(randomblob(20)) FROM n",
    )
    return made


def taken(engine: SqliteEngine, project: ProjectStore, parent: Taken | None = None) -> Taken:
    return take(
        engine,
        project,
        VersionLabel(2 if parent else 1, "a", "me", 0.0),
        parent_key=parent.manifest_key if parent else None,
        parent_state=parent.source_state if parent else "",
        progress=ignore,
    )


def assert_restored(project: ProjectStore, version: Taken, path: Path) -> None:
    copy = path.with_name("copy.db")
    restore(
        SqliteEngine(copy), project, version.manifest_key, before_commit=ignore, progress=ignore
    )
    assert copy.read_bytes() == path.read_bytes()


def test_it_is_not_read_and_stores_a_manifest_alone(path: Path) -> None:
    project = small_project(unit=PAGE)
    first = taken(SqliteEngine(path), project)
    again = taken(Unreadable(path), project, first)
    assert again.unchanged
    assert again.stored < 1024
    assert again.source_state == first.source_state
    assert (again.facts, again.size, again.content_hash) == (
        first.facts,
        first.size,
        first.content_hash,
    )
    assert_restored(project, again, path)


def test_a_commit_of_another_process_is_never_missed(path: Path) -> None:
    project = small_project(unit=PAGE)
    version = taken(SqliteEngine(path), project)
    with Client(path) as client:
        for number in range(20):
            client.rows(f"UPDATE t SET x = 'changed {number}' WHERE rowid = 7")
            version = taken(SqliteEngine(path), project, version)
            assert not version.unchanged
            again = taken(SqliteEngine(path), project, version)
            assert again.unchanged
            assert again.content_hash == version.content_hash
        client.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert_restored(project, version, path)


def test_an_unchanged_content_of_a_written_file_is_known_by_its_hash(path: Path) -> None:
    project = small_project(unit=PAGE)
    first = taken(SqliteEngine(path), project)
    path.write_bytes(path.read_bytes())
    with pytest.raises(SourceError, match="it was read"):
        taken(Unreadable(path), project, first)
    again = taken(SqliteEngine(path), project, first)
    assert again.unchanged
    assert again.stored < 1024
    assert again.facts == first.facts


@pytest.mark.parametrize("kind", ["packs", "tables"])
def test_what_the_parent_has_lost_is_stored_again(path: Path, kind: str) -> None:
    project = small_project(unit=PAGE)
    store = project.store
    assert isinstance(store, MemoryStore)
    first = taken(SqliteEngine(path), project)
    lost = next(key for key in store.list(f"g/{kind}/") if not _is_outline(project, first, key))
    store.delete(lost)
    again = taken(SqliteEngine(path), project, first)
    assert_restored(project, again, path)


def _is_outline(project: ProjectStore, version: Taken, key: str) -> bool:
    return key.endswith(project.read_manifest(version.manifest_key).outline.name)


def test_a_database_kept_with_its_damage_is_looked_at_again(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100] = 99
    path.write_bytes(content)
    project = small_project(unit=PAGE)
    kept = take(
        SqliteEngine(path),
        project,
        VersionLabel(1, "a", "me", 0.0),
        parent_key=None,
        keep_damaged=True,
        progress=ignore,
    )
    with pytest.raises(DatabaseDamaged):
        taken(SqliteEngine(path), project, kept)
