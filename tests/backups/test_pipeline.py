"""What the way from a database to a stored version and back promises."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backups.errors import (
    EngineDiffers,
    KeyUnknown,
    ManifestUnreadable,
)
from backups.pipeline import ProjectStore, Taken, restore
from backups.store.memory import MemoryStore
from backups.store.seal import Keyring

from .engines.memory_engine import MemoryEngine
from .engines.sqlite_files import (
    ignore,
)
from .small_store import (
    BLOCK,
    KEY,
    NEW_KEY,
    objects,
    project_of,
    random_bytes,
    restored,
    version_of,
)

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
