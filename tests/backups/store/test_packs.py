"""What packs promise."""

import random

import pytest
from blake3 import blake3

from backups.errors import ObjectDamaged, ObjectMissing, StorageFull
from backups.store.memory import MemoryStore
from backups.store.packs import Frame, PackReader, PackWriter, pack_key
from backups.store.seal import Keyring, Seal

SEAL = Seal(Keyring.of(bytes(32)), "g")


def writer_to(store: MemoryStore, *, frame_size: int = 100, pack_size: int = 300) -> PackWriter:
    return PackWriter(store, "g", SEAL, frame_size=frame_size, pack_size=pack_size, level=1)


def reader_of(store: MemoryStore, writer: PackWriter, *, whole: bool = False) -> PackReader:
    names = frozenset(pack.name for pack in writer.packs) if whole else frozenset()
    return PackReader(store, "g", SEAL, writer.packs, writer.frames, whole=names)


def random_blocks(count: int) -> list[bytes]:
    source = random.Random(7)
    return [source.randbytes(source.randrange(1, 150)) for _ in range(count)]


@pytest.mark.parametrize("whole", [False, True])
def test_each_block_is_found_where_the_writer_said(whole: bool) -> None:
    store = MemoryStore()
    writer = writer_to(store)
    blocks = random_blocks(60)
    places = [writer.add(block) for block in blocks]
    writer.finish()
    assert len(writer.packs) > 3
    reader = reader_of(store, writer, whole=whole)
    for block, (frame, offset) in reversed(list(zip(blocks, places, strict=True))):
        assert reader.frame(frame)[offset : offset + len(block)] == block
    for pack in writer.packs:
        data = store.get(pack_key("g", pack.name))
        assert (blake3(data).hexdigest(), len(data)) == (pack.name, pack.length)
    assert list(store.list("")) == sorted(pack_key("g", pack.name) for pack in writer.packs)


def test_frames_and_packs_have_about_the_size_asked_for() -> None:
    writer = writer_to(MemoryStore(), frame_size=200, pack_size=1000)
    for block in random_blocks(100):
        writer.add(block)
    writer.finish()
    assert all(frame.raw_length <= 200 for frame in writer.frames)
    assert all(1000 <= pack.length < 1300 for pack in writer.packs[:-1])


def test_nothing_added_is_no_pack() -> None:
    store = MemoryStore()
    writer = writer_to(store)
    writer.finish()
    assert (writer.packs, writer.frames, list(store.list(""))) == ([], [], [])


def test_abort_deletes_what_this_writer_has_put_and_nothing_else() -> None:
    store = MemoryStore()
    store.put("g/packs/00/other", b"x")
    writer = writer_to(store)
    for block in random_blocks(60):
        writer.add(block)
    assert len(list(store.list(""))) > 3
    writer.abort()
    assert list(store.list("")) == ["g/packs/00/other"]


def test_abort_deletes_a_pack_whose_put_was_broken_off() -> None:
    class BreaksOff(MemoryStore):
        def put(self, key: str, data: bytes) -> None:
            super().put(key, data)
            raise StorageFull("full")

    store = BreaksOff()
    writer = writer_to(store)
    with pytest.raises(StorageFull):
        for block in random_blocks(60):
            writer.add(block)
    writer.abort()
    assert list(store.list("")) == []


def test_abort_goes_on_past_an_object_that_cannot_be_deleted() -> None:
    class Sticky(MemoryStore):
        failed = False

        def delete(self, key: str) -> None:
            if not self.failed:
                self.failed = True
                raise StorageFull("sticks")
            super().delete(key)

    store = Sticky()
    writer = writer_to(store)
    for block in random_blocks(60):
        writer.add(block)
    with pytest.raises(StorageFull):
        writer.abort()
    assert len(list(store.list(""))) == 1


def test_a_missing_or_replaced_pack_is_told() -> None:
    store = MemoryStore()
    writer = writer_to(store)
    for block in random_blocks(60):
        writer.add(block)
    writer.finish()
    first, second = (pack_key("g", pack.name) for pack in writer.packs[:2])
    swapped = store.get(second)
    store.delete(first)
    for whole in (False, True):
        with pytest.raises(ObjectMissing):
            reader_of(store, writer, whole=whole).frame(0)
    store.put(first, swapped)
    for whole in (False, True):
        with pytest.raises(ObjectDamaged):
            reader_of(store, writer, whole=whole).frame(0)


def test_a_frame_that_claims_more_than_is_known_of_it_is_not_unpacked() -> None:
    store = MemoryStore()
    writer = writer_to(store, frame_size=1 << 20)
    writer.add(bytes(1 << 20))
    writer.finish()
    writer.frames[0] = Frame(*writer.frames[0][:3], raw_length=1000)
    with pytest.raises(ObjectDamaged, match="another length"):
        reader_of(store, writer).frame(0)
