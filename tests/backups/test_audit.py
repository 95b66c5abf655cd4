"""What an audit finds, and what it must not take for damage."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from backups.audit import audit
from backups.engines.sqlite import SqliteEngine
from backups.errors import (
    DatabaseUnreachable,
    EngineDiffers,
    ObjectUnreadable,
    StorageUnwritable,
    VersionDamaged,
)
from backups.facts import Findings
from backups.pipeline import ProjectStore, Taken, VersionLabel, take
from backups.store.memory import MemoryStore
from backups.store.seal import Keyring

from .engines.memory_engine import MemoryEngine
from .engines.sqlite_files import connected, ignore, make_database
from .small_store import (
    KEY,
    NEW_KEY,
    flips,
    objects,
    project_of,
    random_bytes,
    restored,
    version_of,
)


def audited(project: ProjectStore, taken: Taken) -> None:
    audit(MemoryEngine(), project, taken.manifest_key, progress=ignore)


def finding(project: ProjectStore, taken: Taken) -> str:
    """What is found wrong with a version; empty if it is whole."""
    try:
        audited(project, taken)
    except VersionDamaged as error:
        return error.reason
    return ""


class World:
    """Three versions that share objects, and a fourth that shares none."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.project = project_of(self.store)
        first = random_bytes(1600)
        changed = first[:600] + random_bytes(200, seed=2) + first[800:]
        self.contents = [first, changed, changed + random_bytes(80, seed=3), first]
        self.versions: list[Taken] = []
        for number, content in enumerate(self.contents, 1):
            parent = self.versions[-1] if 1 < number < 4 else None
            self.versions.append(version_of(self.project, content, number, parent))

    def needed(self, taken: Taken) -> set[str]:
        manifest = self.project.read_manifest(taken.manifest_key)
        return {taken.manifest_key, *self.project.needed_keys(manifest)}

    def replace(self, key: str, data: bytes | None) -> None:
        self.store.delete(key)
        if data is not None:
            self.store.put(key, data)


def test_whole_versions_are_found_whole_and_nothing_is_changed() -> None:
    world = World()
    before = objects(world.store)
    for taken in world.versions:
        assert finding(world.project, taken) == ""
    assert objects(world.store) == before


def test_any_damage_to_any_object_is_found_in_each_version_that_needs_it_and_in_no_other() -> None:
    world = World()
    needed = [world.needed(taken) for taken in world.versions]
    assert needed[0] & needed[1] & needed[2]
    assert not needed[3] & (needed[0] | needed[1] | needed[2])
    for key, data in objects(world.store).items():
        for harmed in (None, b"", data[:-1], data + b"\0", *flips(data)):
            if harmed == data:
                continue
            world.replace(key, harmed)
            for taken, keys in zip(world.versions, needed, strict=True):
                assert bool(finding(world.project, taken)) == (key in keys), key
        world.replace(key, data)
    assert [restored(world.project, taken) for taken in world.versions] == world.contents


def test_all_damaged_objects_of_a_version_are_counted() -> None:
    world = World()
    packs = [key for key in world.needed(world.versions[0]) if "/packs/" in key]
    assert len(packs) > 2
    for key in packs[:3]:
        world.replace(key, None)
    reason = finding(world.project, world.versions[0])
    assert "is missing" in reason
    assert ", and 2 more of " in reason


def test_a_version_sealed_with_a_key_that_is_not_configured_is_no_good() -> None:
    world = World()
    reason = finding(project_of(world.store, Keyring.of(NEW_KEY)), world.versions[0])
    assert "is not configured" in reason
    assert finding(project_of(world.store, Keyring.of(NEW_KEY, KEY)), world.versions[0]) == ""


class AwayStore(MemoryStore):
    """A store that can't be read any more after some calls."""

    def __init__(self, held: MemoryStore, calls: int) -> None:
        super().__init__()
        self._objects = held._objects
        self.calls = calls

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        self.calls -= 1
        if self.calls < 0:
            raise StorageUnwritable("the backup storage cannot be read: it has timed out")
        return super().get(key, offset, length)


def test_a_storage_that_goes_away_in_the_middle_is_no_damage() -> None:
    world = World()
    calls = 0
    while True:
        store = AwayStore(world.store, calls)
        try:
            audited(project_of(store), world.versions[1])
        except StorageUnwritable:
            calls += 1
        else:
            break
    assert calls > len(world.needed(world.versions[1]))


def test_a_storage_that_holds_nothing_at_all_of_the_project_is_no_damage() -> None:
    world = World()
    for key in objects(world.store):
        world.replace(key, None)
    with pytest.raises(StorageUnwritable, match="not mounted"):
        audited(world.project, world.versions[0])


def test_another_kind_of_database_is_no_damage(tmp_path: Path) -> None:
    world = World()
    with pytest.raises(EngineDiffers):
        audit(
            SqliteEngine(tmp_path / "x"),
            world.project,
            world.versions[0].manifest_key,
            progress=ignore,
        )


def test_progress_never_rises_and_ends_at_nothing() -> None:
    world = World()
    told: list[tuple[int, int]] = []
    audit(
        MemoryEngine(),
        world.project,
        world.versions[2].manifest_key,
        progress=lambda total, remaining: told.append((total, remaining)),
    )
    remaining = [left for _, left in told]
    assert {total for total, _ in told} == {len(world.contents[2]) // 4}
    assert remaining == sorted(remaining, reverse=True)
    assert (remaining[0] > 0, remaining[-1]) == (True, 0)


def test_what_progress_raises_stops_the_audit_at_any_step() -> None:
    world = World()
    taken = world.versions[2]

    class Stop(BaseException):
        pass

    def stopping(after: int) -> Any:
        left = [after]

        def progress(total: int, remaining: int) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Stop

        return progress

    steps = 0
    while True:
        try:
            audit(MemoryEngine(), world.project, taken.manifest_key, progress=stopping(steps))
        except Stop:
            steps += 1
        else:
            break
    assert steps > 10


# --- SQLite ---------------------------------------------------------------------------------------


class SqliteWorld:
    """A version of a SQLite database, and a way to store others like it."""

    def __init__(self, folder: Path, *statements: str) -> None:
        self.path, self.scratch = folder / "live.sqlite3", folder / "scratch"
        self.scratch.mkdir()
        self.project = project_of(MemoryStore(), block_size=8192)
        self.engine = SqliteEngine(self.path, scratch=self.scratch)
        make_database(
            self.path,
            *statements,
            "CREATE TABLE items (id INTEGER PRIMARY KEY, text TEXT)",
            "CREATE INDEX by_text ON items (text)",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)"
            " INSERT INTO items (text) SELECT hex(randomblob(20)) FROM n",
        )

    def taken(self) -> Taken:
        label = VersionLabel(1, "Backup 1", "me", 1000.5)
        return take(self.engine, self.project, label, parent_key=None, progress=ignore)

    def audited(self, taken: Taken) -> Findings:
        try:
            return audit(self.engine, self.project, taken.manifest_key, progress=ignore).findings
        finally:
            assert list(self.scratch.iterdir()) == []

    def with_facts(self, taken: Taken, **changes: Any) -> Taken:
        """The version, but with other facts."""
        manifest = self.project.read_manifest(taken.manifest_key)
        outline = self.project.read_outline(manifest)
        facts = {
            name: fact for name, fact in {**outline.facts, **changes}.items() if fact is not None
        }
        other = dataclasses.replace(outline, facts=facts)
        table = self.project.tables().put(self.project.sealed_outline(other))
        key, sealed = self.project.sealed_manifest(dataclasses.replace(manifest, outline=table))
        self.project.store.put(key, sealed)
        return dataclasses.replace(taken, manifest_key=key, facts=facts)


@pytest.mark.parametrize(
    "statements",
    [
        (),
        ("PRAGMA journal_mode = wal",),
        ("PRAGMA page_size = 512",),
        ("PRAGMA page_size = 65536",),
        ("PRAGMA encoding = 'UTF-16le'", "PRAGMA user_version = 7"),
        ("PRAGMA auto_vacuum = 1", 'CREATE TABLE "odd \x1b name" (x)'),
        ("PRAGMA auto_vacuum = 2", "CREATE VIRTUAL TABLE words USING fts5(text)"),
    ],
)
def test_a_version_of_a_sound_database_is_whole(
    tmp_path: Path, statements: tuple[str, ...]
) -> None:
    world = SqliteWorld(tmp_path, *statements)
    taken = world.taken()
    assert taken.facts["tables"]["items"] == 900
    world.audited(taken)
    with connected(world.path) as connection:
        connection.execute("DELETE FROM items")
    world.audited(taken)  # the live database is not looked at


def test_a_version_of_an_empty_file_is_whole(tmp_path: Path) -> None:
    world = SqliteWorld(tmp_path)
    world.path.unlink()
    world.path.touch()
    world.audited(world.taken())


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"tables": {"items": 899}}, "the table 'items' has 900 rows, not 899"),
        ({"tables": {"items": 900, "more": 0}}, "other tables"),
        ({"tables": {}}, "other tables"),
        ({"encoding": "UTF-16le"}, "the encoding"),
        ({"user_version": 1}, "the user_version"),
        ({"schema_version": 77}, "the schema_version"),
    ],
)
def test_facts_that_are_not_true_of_the_content_are_found(
    tmp_path: Path, changes: dict[str, Any], found: str
) -> None:
    world = SqliteWorld(tmp_path)
    with pytest.raises(VersionDamaged, match=found):
        world.audited(world.with_facts(world.taken(), **changes))


def test_facts_that_are_not_told_are_not_missed(tmp_path: Path) -> None:
    world = SqliteWorld(tmp_path)
    world.audited(world.with_facts(world.taken(), tables={"items": None}, encoding=None))


def harm(path: Path) -> None:
    """Overwrite the middle of the database, behind SQLite's back."""
    data = bytearray(path.read_bytes())
    for page in range(3 * 4096, len(data), 4096):
        data[page : page + 40] = b"\xff" * 40
    path.write_bytes(data)


def test_known_damage_hides_no_damage_of_the_storage(tmp_path: Path) -> None:
    world = SqliteWorld(tmp_path)
    taken = world.with_facts(world.taken(), damage="known")
    key = next(world.project.pack_keys())
    whole = world.project.store.get(key)
    world.project.store.delete(key)
    world.project.store.put(key, whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(VersionDamaged, match="not those that were written"):
        world.audited(taken)


def test_an_index_that_misses_a_row_is_found_and_the_version_whole_all_the_same(
    tmp_path: Path,
) -> None:
    """Even if there was no time to look when the version was taken."""
    world = SqliteWorld(tmp_path)
    with connected(world.path) as connection:
        connection.execute("PRAGMA writable_schema = 1")
        kept = "UPDATE sqlite_schema SET sql = ? WHERE name = 'by_text'"
        connection.execute(kept, ("CREATE INDEX by_text ON items (text) WHERE id < 0",))
    with connected(world.path) as connection:
        connection.execute("INSERT INTO items (text) VALUES ('not in the index')")
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute(kept, ("CREATE INDEX by_text ON items (text)",))
    world.engine = SqliteEngine(world.path, scratch=world.scratch, check_seconds=0)
    taken = world.taken()
    assert "index by_text" in world.audited(taken).damage


def test_an_object_that_the_disk_fails_to_read_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = SqliteWorld(tmp_path)
    taken = world.taken()

    def failing(*_: Any) -> bytes:
        raise ObjectUnreadable("the disk failed")

    for keys in (world.project.pack_keys, world.project.table_keys):
        key = next(keys())
        whole = world.project.store.get
        with monkeypatch.context() as patch:
            patch.setattr(
                world.project.store,
                "get",
                lambda one, *part, key=key, whole=whole: (
                    failing() if one == key else whole(one, *part)
                ),
            )
            with pytest.raises(ObjectUnreadable):
                world.audited(taken)
    world.audited(taken)


def test_a_scratch_folder_that_is_gone_is_no_damage(tmp_path: Path) -> None:
    world = SqliteWorld(tmp_path)
    taken = world.taken()
    world.scratch.rmdir()
    with pytest.raises(DatabaseUnreachable):
        audit(world.engine, world.project, taken.manifest_key, progress=ignore)
