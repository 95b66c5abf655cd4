"""What packs promise."""

import random
import threading
from collections.abc import Iterator

import pytest
import zstandard
from blake3 import blake3

from backups.errors import ManifestUnreadable, ObjectDamaged, ObjectMissing, StorageFull
from backups.store.memory import MemoryStore
from backups.store.packs import Frame, PackWriter, Piece, pack_key
from backups.store.press import Press
from backups.store.reader import PackReader, assembled
from backups.store.seal import Keyring, Seal

SEAL = Seal(Keyring.of(bytes(32)), "g")


@pytest.fixture
def press() -> Iterator[Press]:
    with Press(SEAL, level=1) as press:
        yield press


def writer_to(
    store: MemoryStore, press: Press, *, frame_size: int = 100, pack_size: int = 300
) -> PackWriter:
    return PackWriter(store, "g", press, frame_size=frame_size, pack_size=pack_size, first_number=5)


def reader_of(store: MemoryStore, press: Press, writer: PackWriter) -> PackReader:
    return PackReader(store, "g", press, writer.packs)


def random_blocks(count: int) -> list[bytes]:
    source = random.Random(7)
    return [source.randbytes(source.randrange(1, 150)) for _ in range(count)]


def test_each_block_is_found_where_the_writer_said(press: Press) -> None:
    store = MemoryStore()
    writer = writer_to(store, press)
    blocks = random_blocks(60)
    places = [writer.add(block) for block in blocks]
    writer.finish()
    assert len(writer.packs) > 3
    reader = reader_of(store, press, writer)
    for block, (frame, offset) in reversed(list(zip(blocks, places, strict=True))):
        assert reader.frame(writer.frames[frame])[offset : offset + len(block)] == block
    for pack in writer.packs.values():
        data = store.get(pack_key("g", pack.name))
        assert (blake3(data).hexdigest(), len(data)) == (pack.name, pack.length)
    assert list(store.list("")) == sorted(
        pack_key("g", pack.name) for pack in writer.packs.values()
    )


def test_frames_and_packs_have_about_the_size_asked_for(press: Press) -> None:
    writer = writer_to(MemoryStore(), press, frame_size=200, pack_size=1000)
    for block in random_blocks(100):
        writer.add(block)
    writer.finish()
    assert all(frame.raw_length <= 200 for frame in writer.frames)
    assert all(1000 <= pack.length < 1300 for pack in list(writer.packs.values())[:-1])


def test_nothing_added_is_no_pack(press: Press) -> None:
    store = MemoryStore()
    writer = writer_to(store, press)
    writer.finish()
    assert (writer.packs, writer.frames, list(store.list(""))) == ({}, [], [])


def test_abort_deletes_what_this_writer_has_put_and_nothing_else(press: Press) -> None:
    store = MemoryStore()
    store.put("g/packs/00/other", b"x")
    writer = writer_to(store, press)
    for block in random_blocks(60):
        writer.add(block)
    assert len(list(store.list(""))) > 3
    writer.abort()
    assert list(store.list("")) == ["g/packs/00/other"]


def test_abort_deletes_a_pack_whose_put_was_broken_off(press: Press) -> None:
    class BreaksOff(MemoryStore):
        def put(self, key: str, data: bytes | memoryview) -> None:
            super().put(key, data)
            raise StorageFull("full")

    store = BreaksOff()
    writer = writer_to(store, press)
    with pytest.raises(StorageFull):
        for block in random_blocks(60):
            writer.add(block)
    writer.abort()
    assert list(store.list("")) == []


def test_abort_goes_on_past_an_object_that_cannot_be_deleted(press: Press) -> None:
    class Sticky(MemoryStore):
        failed = False

        def delete(self, key: str) -> None:
            if not self.failed:
                self.failed = True
                raise StorageFull("sticks")
            super().delete(key)

    store = Sticky()
    writer = writer_to(store, press)
    for block in random_blocks(60):
        writer.add(block)
    with pytest.raises(StorageFull):
        writer.abort()
    assert len(list(store.list(""))) == 1


def test_a_missing_or_replaced_pack_is_told(press: Press) -> None:
    store = MemoryStore()
    writer = writer_to(store, press)
    for block in random_blocks(60):
        writer.add(block)
    writer.finish()
    first, second = (pack_key("g", pack.name) for pack in list(writer.packs.values())[:2])
    swapped = store.get(second)
    store.delete(first)
    with pytest.raises(ObjectMissing):
        reader_of(store, press, writer).frame(writer.frames[0])
    store.put(first, swapped)
    with pytest.raises(ObjectDamaged):
        reader_of(store, press, writer).frame(writer.frames[0])


def test_a_frame_that_claims_more_than_is_known_of_it_is_not_unpacked(press: Press) -> None:
    store = MemoryStore()
    writer = writer_to(store, press, frame_size=1 << 20)
    writer.add(bytes(1 << 20))
    writer.finish()
    writer.frames[0] = Frame(*writer.frames[0][:3], raw_length=1000)
    with pytest.raises(ObjectDamaged, match="another length"):
        reader_of(store, press, writer).frame(writer.frames[0])


def test_packs_are_numbered_from_the_number_given(press: Press) -> None:
    writer = writer_to(MemoryStore(), press)
    for block in random_blocks(60):
        writer.add(block)
    writer.finish()
    assert list(writer.packs) == list(range(5, writer.next_number))
    assert {frame.pack for frame in writer.frames} == set(writer.packs)


def test_a_frame_that_is_in_no_pack_is_told(press: Press) -> None:
    store = MemoryStore()
    writer = writer_to(store, press)
    writer.add(bytes(100))
    writer.finish()
    (frame,) = writer.frames
    reader = reader_of(store, press, writer)
    for wrong in (frame._replace(pack=6), frame._replace(length=frame.length + 1)):
        with pytest.raises(ManifestUnreadable):
            reader.frame(wrong)


def test_what_blocks_are_made_of_is_put_together_in_order(press: Press) -> None:
    store = MemoryStore()
    writer = writer_to(store, press)
    blocks = random_blocks(50)
    places = [writer.add(block) for block in blocks]
    writer.finish()
    pieces = [
        Piece(writer.frames[frame], offset, len(block))
        for block, (frame, offset) in zip(blocks, places, strict=True)
    ]
    made_of = [(number, [pieces[number], pieces[-number]]) for number in range(50)]
    found = list(assembled(reader_of(store, press, writer), made_of))
    assert [(number, bytes(data)) for number, data in found] == [
        (number, blocks[number] + blocks[-number]) for number in range(50)
    ]


def test_frames_are_the_same_however_the_threads_run(press: Press) -> None:
    writers = [writer_to(MemoryStore(), press) for _ in range(3)]
    for writer in writers:
        for block in random_blocks(200):
            writer.add(block)
        writer.finish()
    assert len({tuple(writer.frames) for writer in writers}) == 1


@pytest.mark.parametrize("fault", ["compression", "sealing"])
def test_a_frame_that_does_not_open_to_what_it_was_made_of_is_never_stored(fault: str) -> None:
    class Faulty(Seal):
        def seal(self, data: bytes, purpose: str) -> bytes:
            if fault == "compression":
                raw = bytearray(zstandard.decompress(data))
                raw[-1] ^= 1
                return super().seal(zstandard.compress(bytes(raw)), purpose)
            sealed = bytearray(super().seal(data, purpose))
            sealed[-1] ^= 1
            return bytes(sealed)

    store = MemoryStore()
    with Press(Faulty(Keyring.of(bytes(32)), "g"), level=1) as press:
        writer = writer_to(store, press)
        with pytest.raises(ObjectDamaged):
            for block in random_blocks(60):
                writer.add(block)
    assert list(store.list("")) == []


def test_a_pack_is_read_back_in_parts_and_each_of_them_counts(press: Press) -> None:
    class Damaging(MemoryStore):
        place = -1

        def put(self, key: str, data: bytes | memoryview) -> None:
            damaged = bytearray(data)
            damaged[self.place] ^= 1
            super().put(key, bytes(damaged))

    sound = MemoryStore()
    size = 10 << 20  # more than two parts
    blocks = [random.Random(number).randbytes(1 << 20) for number in range(10)]
    for place in (None, 0, 5 << 20, size - 1):
        store = Damaging() if place is not None else sound
        if isinstance(store, Damaging):
            store.place = place or 0
        writer = writer_to(store, press, frame_size=1 << 20, pack_size=size)
        for block in blocks:
            writer.add(block)
        if place is None:
            writer.finish()
        else:
            with pytest.raises(ObjectDamaged, match="not the one written"):
                writer.finish()
        assert len(writer.packs) == (place is None)


def test_what_fails_in_a_thread_is_raised_and_the_threads_end() -> None:
    class Failing(Seal):
        def seal(self, data: bytes, purpose: str) -> bytes:
            raise MemoryError

    before = threading.active_count()
    with pytest.raises(MemoryError), Press(Failing(Keyring.of(bytes(32)), "g"), level=1) as press:
        writer = writer_to(MemoryStore(), press)
        for block in random_blocks(60):
            writer.add(block)
        writer.finish()
    assert threading.active_count() == before
