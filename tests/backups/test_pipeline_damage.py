"""What is damaged or missing in the store is told, and never makes wrong data."""

import dataclasses
import logging

import pytest

from backups.errors import (
    ManifestUnreadable,
    ObjectMissing,
    StorageError,
)
from backups.pipeline import opened_content, restore
from backups.store.memory import MemoryStore
from backups.store.packs import pack_key

from .engines.memory_engine import MemoryEngine
from .engines.sqlite_files import (
    ignore,
)
from .small_store import (
    BLOCK,
    flips,
    objects,
    project_of,
    random_bytes,
    restored,
    version_of,
)


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
