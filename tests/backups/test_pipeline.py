"""What the way from a database to a stored version and back promises."""

import dataclasses
import logging
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backups.engines.interface import Content
from backups.engines.sqlite import SqliteEngine
from backups.errors import (
    EngineDiffers,
    KeyUnknown,
    ManifestUnreadable,
    ObjectDamaged,
    ObjectMissing,
    SourceError,
    StorageError,
    StorageFull,
)
from backups.pipeline import ProjectStore, Taken, VersionLabel, opened_content, restore, take
from backups.store.local import LocalStore
from backups.store.memory import MemoryStore
from backups.store.objects import ObjectStore
from backups.store.packs import pack_key
from backups.store.seal import Keyring

from .engines.memory_engine import BytesSnapshot, MemoryEngine
from .engines.sqlite_files import (
    busy_writer,
    connected,
    ignore,
    make_accounts,
    make_database,
    pages_of,
    rows_of,
)

KEY, NEW_KEY = bytes(32), bytes(range(32))
BLOCK, FRAME, PACK, SEGMENT = 16, 64, 400, 5  # the last in blocks


class Stop(BaseException):
    """What a cancelled job raises."""


def project_of(
    store: ObjectStore, keyring: Keyring | None = None, *, block_size: int = BLOCK
) -> ProjectStore:
    return ProjectStore(
        store,
        keyring or Keyring.of(KEY),
        "g",
        block_size=block_size,
        frame_size=FRAME,
        pack_size=PACK,
        segment_blocks=SEGMENT,
    )


def version_of(
    project: ProjectStore, data: bytes, version: int = 1, parent: Taken | None = None
) -> Taken:
    return take(
        MemoryEngine(data),
        project,
        VersionLabel(version, f"Backup {version}", "me", 1000.5),
        parent_key=parent.manifest_key if parent else None,
        progress=ignore,
    )


def restored(project: ProjectStore, taken: Taken) -> bytes:
    engine = MemoryEngine()
    restore(engine, project, taken.manifest_key, before_commit=ignore, progress=ignore)
    return engine.data


def random_bytes(length: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(length)


def objects(store: ObjectStore) -> dict[str, bytes]:
    return {key: store.get(key) for key in store.list("")}


EDITS = st.tuples(st.integers(0, 400), st.integers(0, 120), st.binary(max_size=160))


@settings(max_examples=60, deadline=None)
@given(
    first=st.binary(max_size=800),
    edits=st.lists(st.tuples(EDITS, st.integers(0, 3)), min_size=1, max_size=6),
    kept=st.sets(st.integers(0, 6)),
)
def test_each_version_is_restored_bit_for_bit_also_without_the_others(
    first: bytes, edits: list[tuple[tuple[int, int, bytes], int]], kept: set[int]
) -> None:
    store = MemoryStore()
    project = project_of(store)
    contents = [first[: len(first) // 4 * 4]]
    versions = [version_of(project, contents[0])]
    for number, ((start, removed, added), back) in enumerate(edits, 2):
        base = max(0, len(versions) - 1 - back)
        data = contents[base][:start] + added + contents[base][start + removed :]
        contents.append(data[: len(data) // 4 * 4])
        versions.append(version_of(project, contents[-1], number, versions[base]))
        store.lose_unflushed()
    for content, taken in zip(contents, versions, strict=True):
        assert restored(project, taken) == content
    for place, taken in enumerate(versions):
        if place not in kept:
            store.delete(taken.manifest_key)
    needed: set[str] = set()
    for place in kept & set(range(len(versions))):
        manifest = project.read_manifest(versions[place].manifest_key)
        needed |= set(project.needed_keys(manifest))
    for key in [*project.table_keys(), *project.pack_keys()]:
        if key not in needed:
            store.delete(key)
    for place in kept & set(range(len(versions))):
        assert restored(project, versions[place]) == contents[place]


def test_only_what_changed_is_stored() -> None:
    store = MemoryStore()
    project = project_of(store)
    data = random_bytes(4000)
    first = version_of(project, data)
    assert first.parent_version is None
    assert first.stored == sum(map(len, objects(store).values()))

    before = objects(store)
    same = version_of(project, data, 2, first)
    assert objects(store).keys() - before.keys() == {same.manifest_key}
    assert (same.parent_version, same.content_hash) == (1, first.content_hash)
    assert same.stored == len(store.get(same.manifest_key))

    before = objects(store)
    changed = data[:1000] + b"otherwise" + data[1009:]
    third = version_of(project, changed, 3, same)
    new = objects(store).keys() - before.keys()
    packs = [key for key in new if "/packs/" in key]
    assert len(packs) == 1 and store.size(packs[0]) < 41 + 10 + 12  # three units
    assert len([key for key in new if "/tables/" in key]) == 2  # one segment and the outline
    assert third.stored == sum(store.size(key) for key in new)
    assert [restored(project, one) for one in (first, same, third)] == [data, data, changed]


def test_what_is_told_of_a_version_is_in_its_manifest() -> None:
    project = project_of(MemoryStore())
    taken = version_of(project, bytes(400), 12)
    manifest = project.read_manifest(taken.manifest_key)
    outline = project.read_outline(manifest)
    assert taken.manifest_key.startswith("g/manifests/00000012-")
    assert list(project.manifest_keys()) == [taken.manifest_key]
    assert (manifest.name, manifest.created_by, manifest.created_on) == ("Backup 12", "me", 1000.5)
    assert (manifest.version, manifest.parent, manifest.project) == (12, None, "g")
    assert (taken.size, taken.units, taken.unit_size) == (400, 100, 4)
    assert taken.facts == outline.facts == {"length": 400}
    assert taken.content_hash == outline.content_hash.hex()


def test_nothing_of_the_content_can_be_read_in_the_store() -> None:
    store = MemoryStore()
    version_of(project_of(store), b"a secret of some length " * 20)
    everything = b"".join(objects(store).values())
    assert b"secret" not in everything and b"Backup 1" not in everything


def flips(data: bytes) -> Iterator[bytes]:
    # In a large object, of which a hash over all is known, not every byte needs its turn.
    for place in range(0, len(data), 1 + len(data) // 200):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        yield bytes(damaged)
        if place % 16 == 0:
            yield data[:place]


def test_any_damage_to_any_object_is_an_error_and_never_wrong_data() -> None:
    store = MemoryStore()
    project = project_of(store)
    contents = [random_bytes(480), random_bytes(240) + random_bytes(320, seed=2)]
    versions = [version_of(project, contents[0])]
    versions.append(version_of(project, contents[1], 2, versions[0]))
    for key, data in objects(store).items():
        for damaged in flips(data):
            store.delete(key)
            store.put(key, damaged)
            reasons = []
            for content, taken in zip(contents, versions, strict=True):
                try:
                    assert restored(project, taken) == content
                except StorageError as error:
                    reasons.append(error.reason)
            assert reasons and all(reasons)
        store.delete(key)
        store.put(key, data)
    assert [restored(project, taken) for taken in versions] == contents


def test_a_missing_object_is_told() -> None:
    store = MemoryStore()
    project = project_of(store)
    taken = version_of(project, random_bytes(400))
    for key, data in objects(store).items():
        store.delete(key)
        with pytest.raises(ObjectMissing):
            restored(project, taken)
        store.put(key, data)
    for key in ("g/manifests/1", "h/manifests/00000001-" + "0" * 32, "", "../x"):
        with pytest.raises(ManifestUnreadable):
            restore(MemoryEngine(), project, key, before_commit=ignore, progress=ignore)


@pytest.mark.parametrize("harm", ["pack gone", "pack cut", "manifest gone", "manifest damaged"])
def test_a_damaged_parent_does_not_damage_the_new_version(
    harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    project = project_of(store)
    data = random_bytes(3000)
    parent = version_of(project, data)
    key = parent.manifest_key if "manifest" in harm else next(store.list("g/packs/"))
    harmed = store.get(key)[:-1]
    store.delete(key)
    if "gone" not in harm:
        store.put(key, harmed)
    with caplog.at_level(logging.WARNING):
        child = version_of(project, data, 2, parent)
    assert "stored anew" in caplog.text
    assert restored(project, child) == data
    if "pack" in harm:
        assert child.parent_version == 1
        assert child.stored < parent.stored  # only what that pack held
    else:
        assert child.parent_version is None


def test_a_damaged_table_of_the_parent_does_not_damage_the_new_version(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryStore()
    project = project_of(store)
    data = random_bytes(3000)
    first = version_of(project, data)
    parent = version_of(project, data[:900] + b"otherwise" + data[909:], 2, first)
    contents = [data, data[:900] + b"otherwise" + data[909:]]
    changed = contents[1][:2000] + b"once more" + contents[1][2009:]
    outline = project.read_manifest(parent.manifest_key).outline
    for key in list(project.table_keys()):
        kept = store.get(key)
        for harmed in (None, kept[:-1], kept[:60] + bytes([kept[60] ^ 1]) + kept[61:]):
            store.delete(key)
            if harmed is not None:
                store.put(key, harmed)
            before = set(objects(store))
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                child = version_of(project, changed, 3, parent)
            manifest = project.read_manifest(child.manifest_key)
            assert key not in project.needed_keys(manifest) or "stored anew" not in caplog.text
            assert restored(project, child) == changed
            if outline.name in key:
                assert child.parent_version is None
            elif "stored anew" in caplog.text:
                # Only what the segment held, if it is the parent's at all.
                assert child.parent_version == 2
                assert child.stored < parent.stored + 1500
            for new in set(objects(store)) - before:
                store.delete(new)
        store.delete(key)
        store.put(key, kept)
    assert [restored(project, one) for one in (first, parent)] == contents


def test_packs_lost_are_made_good_by_the_next_version() -> None:
    """Also in blocks that did not change, and grain by grain in those that did."""
    store = MemoryStore()
    project = project_of(store)
    data = random_bytes(1200)
    version = version_of(project, data)
    for number in range(2, 40):
        place = number * 29
        data = data[:place] + b"%04d" % number + data[place + 4 :]
        version = version_of(project, data, number, version)
        packs = list(project.pack_keys())
        store.delete(packs[number * 7 % len(packs)])
    last = version_of(project, data, 40, version)
    assert restored(project, last) == data
    whole = version_of(project, data, 41, last)
    assert restored(project, whole) == data
    assert whole.stored == store.size(whole.manifest_key)


def test_a_layer_that_names_a_pack_that_the_outline_does_not_is_refused() -> None:
    store = MemoryStore()
    project = project_of(store)
    taken = version_of(project, random_bytes(400))
    manifest = project.read_manifest(taken.manifest_key)
    outline = project.read_outline(manifest)
    forged = dataclasses.replace(outline, packs={})
    table = project.tables().put(project.sealed_outline(forged))
    key, sealed = project.sealed_manifest(dataclasses.replace(manifest, outline=table))
    store.put(key, sealed)
    with pytest.raises(ManifestUnreadable):
        restored(project, dataclasses.replace(taken, manifest_key=key))
    parent = dataclasses.replace(taken, manifest_key=key)
    child = version_of(project, random_bytes(400), 2, parent)
    assert restored(project, child) == random_bytes(400)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), keep=st.integers(1, 4))
def test_a_long_history_of_small_changes_stays_restorable_and_bounded(seed: int, keep: int) -> None:
    """Every version is deleted some time; what no manifest needs any more goes with it."""
    chance = random.Random(seed)
    store = MemoryStore()
    project = project_of(store)
    data = chance.randbytes(4 * 300)
    versions: list[tuple[Taken, bytes]] = []
    for number in range(1, 50):
        parent = versions[-1][0] if versions else None
        versions.append((version_of(project, data, number, parent), data))
        while len(versions) > keep:
            taken, _ = versions.pop(chance.randrange(len(versions)))
            store.delete(taken.manifest_key)
        manifests = [project.read_manifest(taken.manifest_key) for taken, _ in versions]
        needed = {key for manifest in manifests for key in project.needed_keys(manifest)}
        for key in [*project.table_keys(), *project.pack_keys()]:
            if key not in needed:
                store.delete(key)
        chains = project.read_outline(manifests[-1]).chains
        assert max(map(len, chains), default=0) <= 16
        for _ in range(chance.randrange(4)):
            place = chance.randrange(0, len(data) + 4, 4)
            data = data[:place] + chance.randbytes(4) + data[place + 4 :]
        if chance.random() < 0.1:
            data = data[: chance.randrange(0, len(data) + 4, 4)]
        if chance.random() < 0.1:
            data += chance.randbytes(4 * chance.randrange(60))
    for taken, content in versions:
        assert restored(project, taken) == content


def test_an_unchanged_version_costs_its_manifest_alone_however_large_the_content() -> None:
    project = project_of(MemoryStore())
    data = random_bytes(50_000)
    first = version_of(project, data)
    same = version_of(project, data, 2, first)
    again = version_of(project, data, 3, same)
    assert first.stored > 50_000
    assert max(same.stored, again.stored) < 400


def test_no_thread_outlives_a_version_or_its_failure() -> None:
    def stop(total: int, remaining: int) -> None:
        if remaining < total // 2:
            raise Stop

    before = threading.active_count()
    project = project_of(MemoryStore())
    data = random_bytes(3000)
    label = VersionLabel(1, "a", "me", 0)
    with pytest.raises(Stop):
        take(MemoryEngine(data), project, label, parent_key=None, progress=stop)
    assert threading.active_count() == before
    taken = version_of(project, data)
    assert restored(project, taken) == data
    assert threading.active_count() == before

    class Refuses(MemoryEngine):
        def restore(self, content: Content, **_: object) -> None:
            next(iter(content.blocks()))
            raise Stop

    with pytest.raises(Stop):
        restore(Refuses(), project, taken.manifest_key, before_commit=ignore, progress=ignore)
    assert threading.active_count() == before


def test_another_engine_or_block_size_makes_no_parent() -> None:
    store = MemoryStore()
    data = random_bytes(400)
    parent = version_of(project_of(store), data)
    larger = project_of(store, block_size=32)
    child = version_of(larger, data, 2, parent)
    assert child.parent_version is None
    assert restored(larger, child) == restored(project_of(store), child) == data

    class Other(MemoryEngine):
        name = "other"

    with pytest.raises(EngineDiffers, match="memory"):
        restore(Other(), larger, child.manifest_key, before_commit=ignore, progress=ignore)


def test_keys_can_be_rotated() -> None:
    store = MemoryStore()
    data = random_bytes(2000)
    old = version_of(project_of(store), data)
    rotated = project_of(store, Keyring.of(NEW_KEY, KEY))
    packs = list(store.list("g/packs/"))
    new = version_of(rotated, data, 2, old)
    assert list(store.list("g/packs/")) == packs  # the identifiers are still the old key's
    changed = data[:-4] + b"next"
    newest = version_of(rotated, changed, 3, new)
    assert len(list(store.list("g/packs/"))) == len(packs) + 1
    assert [restored(rotated, one) for one in (old, new, newest)] == [data, data, changed]

    only_old, only_new = project_of(store), project_of(store, Keyring.of(NEW_KEY))
    assert restored(only_old, old) == data
    for project, taken in ((only_old, new), (only_new, old), (only_new, new)):
        with pytest.raises(KeyUnknown):
            restored(project, taken)
    fresh = version_of(only_new, data, 4, newest)
    assert fresh.parent_version is None
    assert restored(only_new, fresh) == data


def test_two_projects_with_the_same_content_share_nothing_that_shows() -> None:
    store = MemoryStore()
    mine = project_of(store)
    yours = ProjectStore(store, Keyring.of(KEY), "h", block_size=BLOCK)
    data = random_bytes(400)
    first, second = version_of(mine, data), version_of(yours, data)
    assert first.content_hash != second.content_hash
    with pytest.raises(ManifestUnreadable):
        restored(mine, second)
    moved = second.manifest_key.replace("h/", "g/", 1)
    store.put(moved, store.get(second.manifest_key))
    with pytest.raises(ManifestUnreadable):
        mine.read_manifest(moved)


def test_progress_never_rises_and_ends_at_0_after_the_read_back() -> None:
    seen: list[tuple[int, int]] = []
    reads_at_end: list[int] = []

    class Counting(MemoryStore):
        reads = 0

        def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
            self.reads += 1
            return super().get(key, offset, length)

    store = Counting()

    def progress(total: int, remaining: int) -> None:
        seen.append((total, remaining))
        if remaining == 0:
            reads_at_end.append(store.reads)

    label = VersionLabel(1, "a", "me", 0)
    taken = take(
        MemoryEngine(bytes(800)), project_of(store), label, parent_key=None, progress=progress
    )
    remaining = [step[1] for step in seen]
    assert {total for total, _ in seen} == {200}
    assert remaining == sorted(remaining, reverse=True)
    assert remaining[-2:] == [1, 0] and len(seen) == 800 // BLOCK + 1
    assert reads_at_end == [store.reads]

    seen.clear()
    take(MemoryEngine(), project_of(store), label, parent_key=taken.manifest_key, progress=progress)
    assert seen == [(0, 0)]


def test_the_packs_are_durable_before_there_is_a_manifest_and_all_is_in_the_end() -> None:
    durable_at_manifest: list[bool] = []

    class Watched(MemoryStore):
        def put(self, key: str, data: bytes | memoryview) -> None:
            if "/manifests/" in key:
                durable_at_manifest.append(not self._unflushed)
            super().put(key, data)

    store = Watched()
    project = project_of(store)
    taken = version_of(project, random_bytes(3000))
    store.lose_unflushed()
    assert durable_at_manifest == [True]
    assert restored(project, taken) == random_bytes(3000)


class Faulty(MemoryStore):
    """Raises at the n-th call of any verb; delete works."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error
        self.left = -1

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error

    def put(self, key: str, data: bytes | memoryview) -> None:
        self._step()
        super().put(key, data)
        self._step()

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        self._step()
        return super().get(key, offset, length)

    def size(self, key: str) -> int:
        self._step()
        return super().size(key)

    def flush(self) -> None:
        self._step()
        super().flush()


@pytest.mark.parametrize("error", [StorageFull("full"), Stop()], ids=["full", "stopped"])
def test_a_storage_that_fails_at_any_step_keeps_nothing_of_the_new_version(
    error: BaseException,
) -> None:
    store = Faulty(error)
    project = project_of(store)
    data = random_bytes(1500)
    parent = version_of(project, data)
    before = objects(store)
    changed = data[:500] + random_bytes(1200, seed=3)
    steps = 0
    while True:
        steps += 1
        store.left = steps
        try:
            taken = version_of(project, changed, 2, parent)
        except type(error):
            store.left = -1
            assert objects(store) == before
        else:
            break
    store.left = -1
    assert steps > 12
    assert restored(project, taken) == changed


def test_whatever_progress_raises_is_passed_on_with_nothing_kept() -> None:
    store = MemoryStore()
    project = project_of(store)
    data = random_bytes(600)
    steps = 0
    finished = False
    while not finished:
        steps += 1
        left = steps

        def progress(total: int, remaining: int) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Stop

        label = VersionLabel(1, "a", "me", 0)
        try:
            take(MemoryEngine(data), project, label, parent_key=None, progress=progress)
            finished = True
        except Stop:
            assert objects(store) == {}
    assert steps == 600 // BLOCK + 3  # one more block, cut short; the end; and none left


def test_a_failing_clean_up_does_not_hide_why_it_was_needed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Sticky(Faulty):
        def delete(self, key: str) -> None:
            raise ObjectDamaged("sticks")

    store = Sticky(StorageFull("full"))
    store.left = 8
    with pytest.raises(StorageFull):
        version_of(project_of(store), random_bytes(3000))
    assert "could not be removed" in caplog.text


def test_a_source_that_fails_half_way_keeps_nothing() -> None:
    class BreaksOff(BytesSnapshot):
        def blocks(self, block_size: int) -> Iterator[bytes]:
            yield from list(super().blocks(block_size))[:20]
            raise SourceError("gone")

    class Breaks(MemoryEngine):
        @contextmanager
        def snapshot(self, *, keep_damaged: bool = False) -> Iterator[BytesSnapshot]:
            yield BreaksOff(self.data)

    store = MemoryStore()
    with pytest.raises(SourceError):
        take(
            Breaks(random_bytes(4000)),
            project_of(store),
            VersionLabel(1, "a", "me", 0),
            parent_key=None,
            progress=ignore,
        )
    assert objects(store) == {}


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
        "INSERT INTO t VALUES (zeroblob(600000000)), (zeroblob(480000000)), ('last')",
    )
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


def test_a_part_of_a_content_needs_only_what_it_lies_in() -> None:
    store = MemoryStore()
    project = project_of(store)
    data = random_bytes(3000)
    taken = version_of(project, data)
    with opened_content(project, taken.manifest_key) as content:
        described = project.read_outline(project.read_manifest(taken.manifest_key))
        first, *others = (described.packs[number] for number in sorted(described.packs))
        for pack in others:
            store.delete(pack_key("g", pack.name))
        assert first.length > 3 * BLOCK
        for start, end in ((0, 1), (5, 3 * BLOCK), (BLOCK, 2 * BLOCK), (17, 18)):
            assert b"".join(content.part(start, end)) == data[start:end]
        with pytest.raises(ObjectMissing):
            list(content.part(0, len(data)))
