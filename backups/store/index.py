"""Where a project's blocks and grains were seen: a table of hints, bounded in memory.

An entry is a key of 8 bytes, from a block's id or from a grain's mark and its place, and where it
was seen: a version's number and the place in its content. Nothing is taken on the word of an
entry: it only says which version to look at, and there the block's whole id, or the grain's mark,
decides. A lost, outdated or wrong index costs bytes, nothing else.

An entry takes 16 bytes, in a table that is at most two thirds full and has at most 2^MOST_BITS
places: 32 MB, and as much again for a moment when it grows or is thinned out. Then only every
second key is kept, by a bit of the key, later every fourth, and so on. At a terabyte every
sixteenth block is left; those that follow one another are found by the first that is, see
`Search`.
"""

from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from backups.store.seal import BLOCK_ID_SIZE, MARK_SIZE
from backups.store.shape import Shape

MOST_BITS = 21
_LEAST_BITS = 10
_KEY_BITS = 64
_KEYS = (1 << _KEY_BITS) - 1
_PLACE_BITS = 40
_PLACE = (1 << _PLACE_BITS) - 1
_MOST_VERSIONS = 1 << _KEY_BITS - _PLACE_BITS
_MOST_ALIKE = 4
_SPREAD = 0x9E3779B97F4A7C15  # 2^64 by the golden ratio: tells the same mark at two places apart


class Seen(NamedTuple):
    """What the index knows a version by: the first bytes of three hashes."""

    manifest: bytes
    outline: bytes
    content: bytes


def block_key(block_id: bytes) -> int:
    """The key of a block."""
    return int.from_bytes(block_id[:8], "little") or 1


def grain_key(mark: int, place: int) -> int:
    """The key of a grain with this mark, as a number, at this place in its content."""
    return (mark ^ ((place + 1) * _SPREAD) & _KEYS) or 1


def mark_mask(grains: int) -> int:
    """The bits that a mark must not have to be kept, for a content of `grains` grains: so all marks
    are kept, or some 4,000 to 8,000."""
    return (1 << (grains >> 13).bit_length()) - 1


class Index:
    """The hints of all versions with the same identifier key and shape."""

    def __init__(
        self, identifier_key: bytes, shape: Shape, *, most_bits: int = MOST_BITS, bits: int = 0
    ) -> None:
        """`bits`: the size of the table at first, as a power of two."""
        self.identifier_key = identifier_key
        self.shape = shape
        self.seen: dict[int, Seen] = {}
        # Versions that were forgotten; their entries are not.
        self.gone = 0
        self.thinned = 0
        self.changed = False
        self._most_bits = most_bits
        self._bits = min(most_bits, max(_LEAST_BITS, bits))
        self._keys = array("Q", bytes(8 << self._bits))
        self._values = array("Q", bytes(8 << self._bits))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def table_bytes(self) -> int:
        """What the table takes."""
        return 16 << self._bits

    def find(self, key: int) -> list[tuple[int, int]]:
        """Where that was seen: versions and places, the newest version first."""
        keys, mask = self._keys, (1 << self._bits) - 1
        at = key >> _KEY_BITS - self._bits
        found: list[tuple[int, int]] = []
        while there := keys[at]:
            if there == key:
                value = self._values[at]
                found.append((value >> _PLACE_BITS, value & _PLACE))
            at = (at + 1) & mask
        if len(found) > 1:
            found.sort(key=lambda one: -one[0])
        return found

    def add_all(self, version: int, entries: Iterable[tuple[int, int]]) -> None:
        """Take in keys and places of a version."""
        if version >= _MOST_VERSIONS:
            return
        first = version << _PLACE_BITS
        for key, place in entries:
            keys, at = self._keys, key >> _KEY_BITS - self._bits
            if keys[at] or self.thinned or self._count >= self._most:
                if not key & self._thin_mask:
                    self._add(key, first | place)
            else:
                keys[at], self._values[at] = key, first | place
                self._count += 1
        self.changed = True

    def reserve(self, entries: int) -> None:
        """Make room for so many more, as far as the table may grow."""
        bits = self._bits
        while bits < self._most_bits and 3 * (self._count + entries) > 2 << bits:
            bits += 1
        if bits > self._bits:
            self._fill_anew(bits)

    def forget(self, version: int) -> None:
        """The version is not listed any more."""
        del self.seen[version]
        self.gone += 1
        self.changed = True

    def is_outworn(self) -> bool:
        """Whether keys were thinned out while most entries may be of forgotten versions."""
        return self.thinned > 0 and self.gone > len(self.seen)

    def entries(self) -> "tuple[array[int], array[int]]":
        """The table's keys, 0 where there is none, and its values."""
        return self._keys, self._values

    def fill(self, keys: "array[int]", values: "array[int]", thinned: int) -> None:
        """Take over a table as `entries` gave it."""
        self._bits = len(keys).bit_length() - 1
        self._keys, self._values = keys, values
        self._count = len(keys) - keys.count(0)
        self.thinned = thinned

    @property
    def _most(self) -> int:
        return (2 << self._bits) // 3

    @property
    def _thin_mask(self) -> int:
        return (1 << self.thinned) - 1

    def _add(self, key: int, value: int) -> None:
        keys, values, mask = self._keys, self._values, (1 << self._bits) - 1
        at = key >> _KEY_BITS - self._bits
        alike, oldest = 0, at
        while there := keys[at]:
            if there == key:
                if values[at] == value:
                    return
                alike += 1
                if alike == 1 or values[at] < values[oldest]:
                    oldest = at
                if alike == _MOST_ALIKE:
                    values[oldest] = value
                    return
            at = (at + 1) & mask
        keys[at], values[at] = key, value
        self._count += 1
        if self._count > self._most:
            self._make_room()

    def _make_room(self) -> None:
        if self._bits < self._most_bits:
            self._fill_anew(self._bits + 1)
        else:
            self.thinned += 1
            self._fill_anew(self._bits)

    def _fill_anew(self, bits: int) -> None:
        old = zip(self._keys, self._values, strict=True)
        self._bits = bits
        self._keys = array("Q", bytes(8 << bits))
        self._values = array("Q", bytes(8 << bits))
        self._count = 0
        thin = self._thin_mask
        keys, values, mask, shift = self._keys, self._values, (1 << bits) - 1, _KEY_BITS - bits
        for key, value in old:
            if key and not key & thin:
                at = key >> shift
                while keys[at]:
                    at = (at + 1) & mask
                keys[at], values[at] = key, value
                self._count += 1


def block_entries(ids: bytes, first_place: int, others: bytes = b"") -> Iterator[tuple[int, int]]:
    """Keys and places of the blocks with these ids, joined, that are not the `others`' there."""
    for place, at in enumerate(range(0, len(ids), BLOCK_ID_SIZE), first_place):
        block_id = ids[at : at + BLOCK_ID_SIZE]
        if block_id != others[at : at + BLOCK_ID_SIZE]:
            yield block_key(block_id), place


def grain_entries(
    marks: bytes, first_place: int, mask: int, others: bytes = b""
) -> Iterator[tuple[int, int]]:
    """Keys and places of the grains with these marks, joined, that are not the `others`' there and
    have no bit of `mask`."""
    theirs = array("Q", others[: len(others) // MARK_SIZE * MARK_SIZE])
    for place, mark in enumerate(array("Q", marks)):
        if not mark & mask and (place >= len(theirs) or theirs[place] != mark):
            yield grain_key(mark, first_place + place), first_place + place
