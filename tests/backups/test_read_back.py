"""What a store that does not keep what it was given can do to a new version: nothing."""

from collections.abc import Callable

import pytest

from backups.errors import ManifestUnreadable, ObjectDamaged
from backups.store.memory import MemoryStore

from .small_store import objects, project_of, random_bytes, version_of


class Altering(MemoryStore):
    """Does something to the bytes of objects with `part` in their key, when put or when read."""

    def __init__(self, part: str, alter: Callable[[bytes], bytes], *, reading: bool) -> None:
        super().__init__()
        self.part = part
        self.alter = alter
        self.reading = reading
        self.manifests = 0

    def put(self, key: str, data: bytes | memoryview) -> None:
        self.manifests += "/manifests/" in key
        altered = self.part in key and not self.reading
        super().put(key, self.alter(bytes(data)) if altered else data)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        data = super().get(key, offset, length)
        return self.alter(data) if self.part in key and self.reading else data


def one_bit_off(data: bytes) -> bytes:
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 4
    return bytes(damaged)


ALTERATIONS: dict[str, Callable[[bytes], bytes]] = {
    "one bit": one_bit_off,
    "one byte less": lambda data: data[:-1],
    "one byte more": lambda data: data + b"x",
    "nothing left": lambda data: b"",
}


@pytest.mark.parametrize("reading", [False, True], ids=["written", "read"])
@pytest.mark.parametrize("alter", ALTERATIONS.values(), ids=ALTERATIONS.keys())
@pytest.mark.parametrize("part", ["/packs/", "/tables/", "/manifests/"])
def test_a_store_that_keeps_other_bytes_is_found_out_by_the_read_back(
    part: str, alter: Callable[[bytes], bytes], reading: bool
) -> None:
    store = Altering(part, alter, reading=reading)
    with pytest.raises((ObjectDamaged, ManifestUnreadable)):
        version_of(project_of(store), random_bytes(3000))
    assert store.manifests == (part == "/manifests/")  # packs and tables are checked before
    assert objects(store) == {}


def test_also_the_packs_of_a_later_version_are_read_back() -> None:
    store = Altering("/packs/", one_bit_off, reading=False)
    store.part = "none"
    project = project_of(store)
    parent = version_of(project, random_bytes(3000))
    before = objects(store)
    store.part = "/packs/"
    with pytest.raises(ObjectDamaged):
        version_of(project, random_bytes(40, seed=2) + random_bytes(3000)[40:], 2, parent)
    assert objects(store) == before
