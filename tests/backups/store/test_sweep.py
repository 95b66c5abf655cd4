"""What a sweep deletes, and what it never does."""

import random
from collections.abc import Callable, Sequence

import pytest

from backups.errors import (
    KeyUnknown,
    ManifestUnreadable,
    ObjectMissing,
    StorageError,
    StorageFull,
    StorageUnwritable,
)
from backups.pipeline import purge
from backups.store.memory import MemoryStore
from backups.store.seal import Keyring
from backups.store.sweep import sweep
from tests.backups.engines.sqlite_files import ignore
from tests.backups.versions import (
    KEY,
    NEVER,
    UNIT,
    UnitsEngine,
    Versions,
    content_of,
    needed_by,
    small_project,
)


def random_bytes(units: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(UNIT * units)


def history(versions: Versions, count: int = 4, units: int = 100) -> dict[int, bytes]:
    """Some versions, each changed at some places; what each of them held."""
    chance = random.Random(count)
    data = bytearray(random_bytes(units))
    contents = {}
    for _ in range(count):
        versions.take(UnitsEngine(bytes(data)))
        contents[versions.last] = bytes(data)
        for _ in range(units // 10):
            at = UNIT * chance.randrange(units)
            data[at : at + UNIT] = chance.randbytes(UNIT)
    return contents


def assert_restorable(versions: Versions, contents: dict[int, bytes]) -> None:
    for version in versions.listed:
        assert versions.content(version) == contents[version]


def harm(store: MemoryStore, key: str, data: bytes | None) -> None:
    store.delete(key)
    if data is not None:
        store.put(key, data)
    store.flush()


class Clock:
    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


def test_what_deleted_versions_alone_needed_is_deleted_and_the_others_restore() -> None:
    versions = Versions(small_project())
    contents = history(versions)
    for version in (2, 1, 4, 3):
        del versions.listed[version]
        before, size = set(versions.store.list("")), versions.size()
        swept = versions.sweep(worth=NEVER)
        left = set(versions.store.list(""))
        assert left == versions.needed() < before
        assert (swept.deleted, swept.freed) == (len(before - left), size - versions.size())
        assert (swept.written, swept.waiting) == (0, 0)
        assert_restorable(versions, contents)
    assert versions.size() == 0


def test_another_projects_objects_are_left_alone() -> None:
    store = MemoryStore()
    mine, yours = Versions(small_project(store)), Versions(small_project(store, "g2"))
    history(mine)
    contents = history(yours)
    theirs = {key: store.get(key) for key in store.list("g2/")}
    mine.listed.clear()
    yours.listed.pop(1)
    mine.sweep()
    assert {key: store.get(key) for key in store.list("")} == theirs
    assert_restorable(yours, contents)


def test_what_is_of_no_use_is_deleted_when_it_has_been_so_for_the_time_of_grace() -> None:
    clock = Clock()
    versions = Versions(small_project(), clock)
    contents = history(versions)
    read = versions.listed.pop(2)
    before = set(versions.store.list(""))
    garbage = before - versions.needed()
    first = versions.sweep(grace=60, worth=NEVER)
    assert (first.deleted, first.waiting) == (0, len(garbage))
    (record,) = set(versions.store.list("")) - before
    assert record.startswith("g/condemned/001000000000000-")

    del versions.listed[3]
    clock.now += 59
    second = versions.sweep(grace=60, worth=NEVER)
    assert (second.deleted, second.waiting) == (0, len(before - versions.needed()))
    assert content_of(versions.project_store, read) == contents[2]

    clock.now += 1
    third = versions.sweep(grace=60, worth=NEVER)
    assert third.deleted == len(garbage)
    assert third.waiting == len(before - garbage - versions.needed()) > 0
    with pytest.raises(ObjectMissing):
        content_of(versions.project_store, read)
    assert_restorable(versions, contents)

    clock.now += 60
    assert versions.sweep(grace=60, worth=NEVER).waiting == 0
    assert set(versions.store.list("")) == versions.needed()


def test_what_is_needed_again_is_not_deleted_though_it_was_noted() -> None:
    clock = Clock()
    versions = Versions(small_project(), clock)
    contents = history(versions)
    key = versions.listed.pop(4)
    versions.sweep(grace=60, worth=NEVER)
    versions.listed[4] = key  # a listing that was made anew from the store
    clock.now += 60
    swept = versions.sweep(grace=60, worth=NEVER)
    assert (swept.deleted, swept.waiting) == (0, 0)
    assert set(versions.store.list("")) == versions.needed()
    assert_restorable(versions, contents)


def test_with_no_grace_what_was_noted_goes_too() -> None:
    versions = Versions(small_project())
    history(versions)
    del versions.listed[2]
    versions.sweep(grace=60, worth=NEVER)
    versions.sweep(worth=NEVER)
    assert set(versions.store.list("")) == versions.needed()


def cut(data: bytes) -> bytes:
    return data[:-1]


def flipped(data: bytes) -> bytes:
    return data[:40] + bytes([data[40] ^ 1]) + data[41:]


@pytest.mark.parametrize("harmed", [cut, flipped])
def test_a_damaged_note_is_made_anew(harmed: Callable[[bytes], bytes]) -> None:
    clock = Clock()
    versions = Versions(small_project(), clock)
    history(versions)
    assert isinstance(versions.store, MemoryStore)
    del versions.listed[2]
    waiting = versions.sweep(grace=60, worth=NEVER).waiting
    (record,) = versions.project_store.condemned_keys()
    harm(versions.store, record, harmed(versions.store.get(record)))
    clock.now += 100
    swept = versions.sweep(grace=60, worth=NEVER)
    assert (swept.deleted, swept.waiting) == (0, waiting)
    assert record not in versions.project_store.condemned_keys()
    clock.now += 60
    assert versions.sweep(grace=60, worth=NEVER).deleted == waiting


def test_what_a_clock_noted_that_was_ahead_is_noted_anew() -> None:
    clock = Clock()
    versions = Versions(small_project(), clock)
    history(versions)
    del versions.listed[2]
    clock.now += 10**8
    waiting = versions.sweep(grace=60, worth=NEVER).waiting
    clock.now -= 10**8
    assert versions.sweep(grace=60, worth=NEVER).waiting == waiting
    clock.now += 60
    assert versions.sweep(grace=60, worth=NEVER).deleted == waiting
    assert set(versions.store.list("")) == versions.needed()


def test_a_manifest_whose_note_was_of_no_use_keeps_what_it_names() -> None:
    """It is noted anew, later than what it shares with a version that was deleted after it."""
    clock = Clock()
    versions = Versions(small_project(), clock)
    store, project = versions.store, versions.project_store
    assert isinstance(store, MemoryStore)
    contents = history(versions, count=2)
    del versions.listed[1]
    versions.sweep(grace=10, worth=NEVER)
    (note,) = project.condemned_keys()
    clock.now += 3
    del versions.listed[2]
    versions.sweep(grace=10, worth=NEVER)
    harm(store, note, b"nothing")
    for _ in range(20):
        clock.now += 1
        versions.sweep(grace=10, worth=NEVER)
        there = set(store.list(""))
        for key in project.manifest_keys():
            assert needed_by(project, [key]) <= there
            assert content_of(project, key) in contents.values()
    assert list(store.list("")) == []


@pytest.mark.parametrize("of", ["manifest", "outline"])
@pytest.mark.parametrize("change", [cut, flipped, lambda data: None])
def test_nothing_is_deleted_while_a_listed_version_cannot_be_read(
    of: str, change: Callable[[bytes], bytes | None]
) -> None:
    versions = Versions(small_project())
    contents = history(versions)
    store = versions.store
    assert isinstance(store, MemoryStore)
    versions.listed.pop(4)
    key = versions.listed[2]
    if of == "outline":
        name = versions.project_store.read_manifest(key).outline.name
        (key,) = (found for found in store.list("") if found.endswith(name))
    kept = store.get(key)
    harm(store, key, change(kept))
    before = set(store.list(""))
    for grace in (0, 60):
        with pytest.raises((ManifestUnreadable, ObjectMissing), match="nothing was deleted"):
            versions.sweep(grace=grace)
        assert set(store.list("")) == before
    # Once it is whole again, or deleted, all goes on.
    harm(store, key, kept)
    assert versions.sweep().deleted > 0
    assert_restorable(versions, contents)


def test_nothing_is_deleted_with_a_key_missing() -> None:
    store = MemoryStore()
    versions = Versions(small_project(store))
    history(versions)
    versions.listed.pop(1)
    before = set(store.list(""))
    versions.project_store = small_project(store, keyring=Keyring.of(bytes(range(32))))
    with pytest.raises(KeyUnknown, match="nothing was deleted"):
        versions.sweep()
    assert set(store.list("")) == before
    rotated = small_project(store, keyring=Keyring.of(bytes(range(32)), KEY))
    versions.project_store = rotated
    versions.sweep()
    assert set(store.list("")) == versions.needed()


def test_a_version_that_is_completed_while_the_sweep_looks_loses_nothing() -> None:
    class Late(Versions):
        def manifest_keys(self) -> Sequence[str]:
            if self.last == 4:
                self.take(UnitsEngine(random_bytes(50, seed=5)))
            return super().manifest_keys()

    versions = Late(small_project())
    contents = history(versions) | {5: random_bytes(50, seed=5)}
    del versions.listed[1]
    versions.sweep()
    assert 5 in versions.listed
    assert_restorable(versions, contents)


class Lost(Exception):
    """The job is another worker's."""


def test_a_sweep_that_lost_its_job_before_it_deletes_deletes_nothing() -> None:
    class LosesIt(Versions):
        def confirm(self) -> None:
            raise Lost

    versions = LosesIt(small_project())
    contents = history(versions)
    del versions.listed[1]
    before = set(versions.store.list(""))
    with pytest.raises(Lost):
        versions.sweep()
    assert set(versions.store.list("")) == before
    assert_restorable(versions, contents)


class Breaks(MemoryStore):
    """The n-th delete fails, and the power with it."""

    left = -1

    def delete(self, key: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise StorageUnwritable("it is gone")
        super().delete(key)


def test_a_power_failure_at_any_delete_leaves_no_manifest_without_its_objects() -> None:
    left = 0
    while True:
        left += 1
        store = Breaks()
        versions = Versions(small_project(store))
        contents = history(versions, 12)
        for version in (*range(1, 8), 9, 10):
            del versions.listed[version]
        store.left = left
        try:
            versions.sweep(worth=NEVER)
        except StorageUnwritable:
            store.lose_unflushed()
        else:
            break
        there = set(store.list(""))
        manifests = list(versions.project_store.manifest_keys())
        assert needed_by(versions.project_store, manifests) <= there
        assert_restorable(versions, contents)
        store.left = -1
        versions.sweep(worth=NEVER)
        assert set(store.list("")) == versions.needed()
    assert left > 15


class Full(MemoryStore):
    """No room is left."""

    full = False

    def put(self, key: str, data: bytes | memoryview) -> None:
        if self.full:
            raise StorageFull("no room is left in the backup storage")
        super().put(key, data)


def test_a_full_storage_gets_room_by_what_was_noted_before_or_without_grace() -> None:
    clock = Clock()
    store = Full()
    versions = Versions(small_project(store), clock)
    contents = history(versions)
    del versions.listed[2]
    waiting = versions.sweep(grace=60, worth=NEVER).waiting
    store.full = True
    clock.now += 60
    assert versions.sweep(grace=60, worth=NEVER).deleted == waiting
    del versions.listed[3]
    before = set(store.list(""))
    with pytest.raises(StorageFull, match="without a time of grace"):
        versions.sweep(grace=60, worth=NEVER)
    assert set(store.list("")) == before
    assert versions.sweep(worth=NEVER).deleted > 0
    assert set(store.list("")) == versions.needed()
    assert_restorable(versions, contents)


def test_progress_tells_of_objects_and_may_stop_it_with_nothing_lost() -> None:
    versions = Versions(small_project())
    contents = history(versions)
    del versions.listed[1]
    seen: list[tuple[int, int]] = []

    def progress(total: int, remaining: int) -> None:
        seen.append((total, remaining))
        if len(seen) == stop:
            raise Lost

    stop = 1
    while True:
        seen.clear()
        try:
            versions.sweep(progress=progress)
        except Lost:
            assert_restorable(versions, contents)
        else:
            break
        stop += 3
    assert stop > 10
    assert all(0 <= remaining <= total for total, remaining in seen)
    assert set(versions.store.list("")) == versions.needed()


def test_a_purge_removes_the_notes_too() -> None:
    versions = Versions(small_project())
    history(versions)
    versions.listed.clear()
    versions.sweep(grace=60)
    purge(versions.project_store, ignore)
    assert list(versions.store.list("")) == []


def test_a_project_without_objects_is_swept() -> None:
    versions = Versions(small_project())
    swept = sweep(versions.project_store, versions, grace=60, progress=ignore)
    assert (swept.deleted, swept.waiting) == (0, 0)
    assert list(versions.store.list("")) == []


def test_whatever_the_storage_fails_at_is_passed_on() -> None:
    class Unreadable(MemoryStore):
        broken = False

        def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
            if self.broken:
                raise StorageUnwritable("the backup storage cannot be read")
            return super().get(key, offset, length)

    store = Unreadable()
    versions = Versions(small_project(store))
    history(versions)
    del versions.listed[1]
    before = set(store.list(""))
    store.broken = True
    with pytest.raises(StorageError, match="cannot be read"):
        versions.sweep()
    assert set(store.list("")) == before
