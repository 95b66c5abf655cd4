"""What is written anew tells the same, takes less room, and is never in the way."""

import logging
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backups.errors import ObjectDamaged, StorageError, StorageFull
from backups.store.memory import MemoryStore
from backups.store.packs import pack_key
from backups.store.repack import Worth
from backups.store.seal import Keyring
from tests.backups.versions import ALWAYS, KEY, UNIT, UnitsEngine, Versions, small_project


def changed(data: bytes, chance: random.Random, count: int, unit: int = UNIT) -> bytes:
    """The data with some units changed."""
    new = bytearray(data)
    for _ in range(count):
        at = unit * chance.randrange(len(data) // unit)
        new[at : at + unit] = chance.randbytes(unit)
    return bytes(new)


def wasteful(
    store: MemoryStore | None = None, unit: int = UNIT
) -> tuple[Versions, dict[int, bytes]]:
    """Three versions that need a third of the first pack each; the first versions are deleted."""
    versions = Versions(small_project(store, unit=unit))
    chance = random.Random(1)
    data = chance.randbytes(unit * 150)
    contents = {}
    for number in range(1, 6):
        versions.take(UnitsEngine(data, unit))
        contents[number] = data
        data = changed(data, chance, 60 if number < 3 else 4, unit)
    del versions.listed[1], versions.listed[2]
    return versions, contents


def assert_restorable(versions: Versions, contents: dict[int, bytes]) -> None:
    for version in versions.listed:
        assert versions.content(version) == contents[version]


def bytes_of_packs(versions: Versions) -> int:
    return sum(map(versions.store.size, versions.project_store.pack_keys()))


def packs_of(versions: Versions, version: int) -> set[str]:
    project_store = versions.project_store
    outline = project_store.read_outline(project_store.read_manifest(versions.listed[version]))
    return {pack.name for pack in outline.packs.values()}


def test_packs_of_much_waste_take_no_more_than_what_is_needed_of_them() -> None:
    versions, contents = wasteful()
    versions.sweep(worth=Worth(waste=2))
    keys, size, packed = dict(versions.listed), versions.size(), bytes_of_packs(versions)
    swept = versions.sweep()
    assert 0 < swept.written < swept.freed
    assert versions.size() == size + swept.written - swept.freed
    assert bytes_of_packs(versions) < 0.8 * packed
    assert all(versions.listed[version] != keys[version] for version in keys)
    assert set(versions.store.list("")) == versions.needed()
    assert_restorable(versions, contents)
    # What they have in common they still share.
    assert packs_of(versions, 3) & packs_of(versions, 4) & packs_of(versions, 5)
    assert versions.sweep().written == 0


def test_what_tells_of_a_version_stays_and_next_versions_lean_on_it() -> None:
    versions, contents = wasteful()
    project_store = versions.project_store
    before = project_store.read_manifest(versions.listed[5])
    outline = project_store.read_outline(before)
    versions.sweep()
    after = project_store.read_manifest(versions.listed[5])
    assert (after.version, after.name, after.created_on) == (5, before.name, before.created_on)
    assert project_store.read_outline(after).content_hash == outline.content_hash

    same = versions.take(UnitsEngine(contents[5]))
    assert same.stored == versions.store.size(same.manifest_key)
    assert same.parent_version == 5
    data = changed(contents[5], random.Random(9), 2)
    few = versions.take(UnitsEngine(data))
    new_packs = packs_of(versions, 7) - packs_of(versions, 5)
    assert sum(versions.store.size(pack_key("g", name)) for name in new_packs) < 41 + 20 + 2 * UNIT
    assert few.parent_version == 6
    contents |= {6: contents[5], 7: data}
    assert_restorable(versions, contents)
    for version in (3, 5, 6, 4):
        del versions.listed[version]
        versions.sweep()
        assert set(versions.store.list("")) == versions.needed()
        assert_restorable(versions, contents)


def test_nothing_is_written_anew_that_is_not_worth_it() -> None:
    versions, _ = wasteful()
    keys = dict(versions.listed)
    for worth in (Worth(waste=0.3, gain=1000), Worth(waste=1, gain=0)):
        assert versions.sweep(worth=worth).written == 0
    assert versions.listed == keys
    large, _ = wasteful(unit=4096)
    assert large.sweep(worth=Worth()).written > 0


def test_with_grace_old_and_new_are_both_there_for_a_while() -> None:
    now = 1e9
    versions, contents = wasteful()
    versions.clock = lambda: now
    old = dict(versions.listed)
    swept = versions.sweep(grace=60)
    assert swept.written > 0
    assert swept.deleted == 0
    assert old.keys() == versions.listed.keys() and old != versions.listed
    new, versions.listed = versions.listed, old
    assert_restorable(versions, contents)
    versions.listed = new
    now += 60
    assert versions.sweep(grace=60).deleted == swept.waiting
    assert set(versions.store.list("")) == versions.needed()
    assert_restorable(versions, contents)


class Stop(BaseException):
    """A process that ends."""


class Fails(MemoryStore):
    """Raises at the n-th call of a verb; a delete works when it is the storage that fails."""

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

    def flush(self) -> None:
        self._step()
        super().flush()


@pytest.mark.parametrize(
    ("first", "error"),
    [(1, StorageFull("full")), (3, ObjectDamaged("bad")), (5, Stop())],
    ids=["full", "damaged", "stopped"],
)
def test_a_storage_that_fails_at_any_step_costs_no_version_and_leaves_nothing_new(
    first: int, error: BaseException
) -> None:
    origin, contents = wasteful()
    origin.sweep(worth=Worth(waste=2))
    listed = origin.listed
    step = first
    while True:
        step += 5
        store = Fails(error)
        for key in origin.store.list(""):
            store.put(key, origin.store.get(key))
        versions = Versions(small_project(store))
        versions.listed, versions.last = dict(listed), origin.last
        before = set(store.list(""))
        store.left = step
        try:
            versions.sweep()
        except type(error):
            store.left = -1
            if versions.listed == listed:
                assert set(store.list("")) == before
        store.left, left = -1, store.left
        assert_restorable(versions, contents)
        if left > 0:
            break
        versions.sweep()
        assert set(store.list("")) == versions.needed()
        assert_restorable(versions, contents)
    assert step > 100


def test_when_no_room_is_left_what_was_deleted_stays_deleted_and_it_is_said() -> None:
    class Full(MemoryStore):
        full = False

        def put(self, key: str, data: bytes | memoryview) -> None:
            if self.full and "/packs/" in key:
                raise StorageFull("no room is left in the backup storage")
            super().put(key, data)

    store = Full()
    versions, contents = wasteful(store)
    listed = dict(versions.listed)
    store.full = True
    with pytest.raises(StorageFull, match=r"to write packs of much waste anew; [1-9]"):
        versions.sweep()
    assert set(store.list("")) == versions.needed()
    assert versions.listed == listed
    assert_restorable(versions, contents)


def test_a_storage_that_keeps_other_bytes_is_found_out_before_any_version_names_them() -> None:
    class Forgetful(MemoryStore):
        part = "none"

        def put(self, key: str, data: bytes | memoryview) -> None:
            damaged = bytearray(data)
            if self.part in key:
                damaged[len(data) // 2] ^= 4
            super().put(key, bytes(damaged))

    for part in ("/packs/", "/tables/", "/manifests/"):
        store = Forgetful()
        versions, contents = wasteful(store)
        versions.sweep(worth=Worth(waste=2))
        before, listed = set(store.list("")), dict(versions.listed)
        store.part = part
        with pytest.raises(StorageError):
            versions.sweep()
        assert versions.listed == listed
        assert set(store.list("")) == before
        assert_restorable(versions, contents)


def test_a_version_deleted_meanwhile_stays_deleted() -> None:
    class Deletes(Versions):
        def switch(self, keys: dict[str, str]) -> None:  # type: ignore[override]
            del self.listed[4]
            super().switch(keys)

    versions, contents = wasteful()
    versions.__class__ = Deletes
    versions.sweep()
    assert set(versions.listed) == {3, 5}
    assert set(versions.store.list("")) == versions.needed()
    assert_restorable(versions, contents)


def test_a_damaged_pack_stays_and_others_are_written_anew(caplog: pytest.LogCaptureFixture) -> None:
    versions, contents = wasteful()
    store = versions.store
    assert isinstance(store, MemoryStore)
    versions.sweep(worth=Worth(waste=2))
    largest = max(versions.project_store.pack_keys(), key=store.size)
    data = store.get(largest)
    store.delete(largest)
    store.put(largest, bytes(len(data)))
    with caplog.at_level(logging.WARNING):
        assert versions.sweep().written > 0
    assert "can't be read, it stays" in caplog.text
    assert largest in set(store.list(""))
    # Should it come back whole, all is as it was.
    store.delete(largest)
    store.put(largest, data)
    assert_restorable(versions, contents)


def test_what_a_version_needs_whose_layers_cannot_be_read_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    versions, contents = wasteful()
    store = versions.store
    assert isinstance(store, MemoryStore)
    versions.sweep(worth=Worth(waste=2))
    project_store = versions.project_store
    outline = project_store.read_outline(project_store.read_manifest(versions.listed[5]))
    (layer,) = (key for key in project_store.table_keys() if outline.chains[0][-1].name in key)
    data = store.get(layer)
    store.delete(layer)
    needed, key = packs_of(versions, 5), versions.listed[5]
    with caplog.at_level(logging.WARNING):
        versions.sweep()
    assert "its packs stay" in caplog.text
    assert versions.listed[5] == key
    assert packs_of(versions, 5) == needed
    store.put(layer, data)
    assert_restorable(versions, contents)


def test_a_last_unit_that_is_cut_short_is_kept_as_it_is() -> None:
    """Where units are single bytes a block is one grain, and the last block is shorter."""
    versions = Versions(small_project())
    chance = random.Random(3)
    contents = {}
    for number in range(1, 9):
        versions.take(UnitsEngine(data := chance.randbytes(64 * 20 + 7 * number), 1))
        contents[number] = data
        kept = data[: 64 * 15]
        versions.take(UnitsEngine(data := kept + chance.randbytes(64 * 9 + number), 1))
        contents[versions.last] = data
        versions.last = number
        versions.listed = {number: versions.listed[number + 1]}
        contents[number] = data
        versions.sweep()
        assert_restorable(versions, contents)


def test_keys_can_be_rotated_before_and_after() -> None:
    versions, contents = wasteful()
    new = bytes(range(32))
    versions.project_store = small_project(versions.store, keyring=Keyring.of(new, KEY))
    assert versions.sweep().written > 0
    assert_restorable(versions, contents)
    data = changed(contents[5], random.Random(2), 3)
    versions.take(UnitsEngine(data))
    contents[6] = data
    versions.sweep()
    assert_restorable(versions, contents)


def test_versions_that_do_not_descend_from_one_another_share_no_pack_afterwards() -> None:
    """What damages one of them must not reach the other."""
    versions, contents = wasteful()
    chance = random.Random(7)
    data = chance.randbytes(UNIT * 150)
    versions.listed[6] = versions.make(UnitsEngine(data), None).manifest_key
    for _ in range(2):
        data = changed(data, chance, 80)
        taken = versions.make(UnitsEngine(data), versions.last)
        versions.listed[versions.last] = taken.manifest_key
    contents[8] = data
    del versions.listed[6], versions.listed[7]
    keys = dict(versions.listed)
    versions.sweep()
    assert all(versions.listed[version] != keys[version] for version in (3, 8))
    assert not packs_of(versions, 8) & packs_of(versions, 5)
    assert_restorable(versions, contents)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_long_history_keeps_what_it_needs_and_little_more(seed: int) -> None:
    chance = random.Random(seed)
    versions = Versions(small_project())
    data = chance.randbytes(UNIT * chance.randrange(50, 300))
    contents: dict[int, bytes] = {}
    written = 0
    for number in range(1, 31):
        data = changed(data, chance, chance.randrange(20)) if data else b""
        if chance.random() < 0.2:
            data = data[: UNIT * chance.randrange(len(data) // UNIT + 1)]
        if chance.random() < 0.3:
            data += chance.randbytes(UNIT * chance.randrange(100))
        parent = chance.choice(sorted(versions.listed)) if versions.listed else None
        versions.listed[number] = versions.make(UnitsEngine(data), parent).manifest_key
        contents[number] = data
        while len(versions.listed) > chance.randrange(1, 8):
            del versions.listed[chance.choice(sorted(versions.listed))]
        if number % 3 == 0:
            written += versions.sweep(worth=ALWAYS).written
            assert set(versions.store.list("")) == versions.needed()
        assert_restorable(versions, contents)
    assert written
