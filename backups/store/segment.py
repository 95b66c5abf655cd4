"""What all layers of a segment tell together, in flat arrays: 17 bytes of memory a grain."""

import sys
from array import array
from collections.abc import Iterator
from functools import lru_cache

from backups.errors import ManifestUnreadable
from backups.store.layers import Layer, Run
from backups.store.packs import Frame
from backups.store.seal import BLOCK_ID_SIZE, MARK_SIZE
from backups.store.shape import Shape

NOWHERE = (1 << 64) - 1
_SLOT_BITS = 32
_SLOT = (1 << _SLOT_BITS) - 1
_HALF = "I"  # 4 bytes, half of a place


def place_of(frame: int, slot: int) -> int:
    """Where a grain lies, as one number: its frame's place in a list, and the slot in the frame."""
    return frame << _SLOT_BITS | slot


def frame_and_slot(place: int) -> tuple[int, int]:
    """What `place_of` was given."""
    return place >> _SLOT_BITS, place & _SLOT


class Segment:
    """The state of a segment after its layers. Blocks and grains are counted in the segment.

    A grain's place is one number: its frame's place in `frames`, and the slot in the lower bits.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        blocks, grains = shape.segment_blocks, shape.segment_blocks * shape.grains
        self._ids = bytearray(blocks * BLOCK_ID_SIZE)
        self._marks = bytearray(grains * MARK_SIZE if shape.marked else 0)
        self._places = array("Q", [NOWHERE]) * grains
        # From which layer on, counted from 1, a block and a grain are what they are.
        self._block_depths = bytearray(blocks)
        self._grain_depths = bytearray(grains)
        self.frames: list[Frame] = []
        self.layer_grains: list[int] = []

    def copy(self) -> "Segment":
        """The same state, to be gone on from."""
        new = Segment.__new__(Segment)
        new._shape = self._shape
        new._ids, new._marks = self._ids[:], self._marks[:]
        new._places = self._places[:]
        new._block_depths, new._grain_depths = self._block_depths[:], self._grain_depths[:]
        new.frames, new.layer_grains = self.frames[:], self.layer_grains[:]
        return new

    def apply(self, layer: Layer) -> None:
        """Lay the next layer over what is there."""
        shape, per_block, step = self._shape, self._shape.grains, self._shape.bitmap_size
        places = self._places_of(layer)
        self.frames += layer.frames
        self.layer_grains.append(len(places))
        depth = len(self.layer_grains)
        whole = self._apply_whole(layer, places, depth)
        at = whole * per_block
        for number, block in enumerate(layer.blocks[whole:], whole):
            self._ids[block * BLOCK_ID_SIZE : (block + 1) * BLOCK_ID_SIZE] = layer.ids[
                number * BLOCK_ID_SIZE : (number + 1) * BLOCK_ID_SIZE
            ]
            self._block_depths[block] = depth
            for start, end in runs_of(layer.grains[number * step : (number + 1) * step]):
                first, last = block * per_block + start, block * per_block + end
                count = end - start
                self._places[first:last] = places[at : at + count]
                self._grain_depths[first:last] = bytes([depth]) * count
                if shape.marked:
                    self._marks[first * MARK_SIZE : last * MARK_SIZE] = layer.marks[
                        at * MARK_SIZE : (at + count) * MARK_SIZE
                    ]
                at += count

    def _apply_whole(self, layer: Layer, places: "array[int]", depth: int) -> int:
        """Lay the layer's first blocks over what is there at once, if they follow one another and
        the layer tells of all their grains, as that of a first version does. Returns how many."""
        shape, count = self._shape, len(layer.blocks) - 1  # the last may be short
        bitmap = ((1 << shape.grains) - 1).to_bytes(shape.bitmap_size, "little")
        if (
            count <= 0
            or layer.blocks[count] - layer.blocks[0] != count
            or layer.grains[: count * shape.bitmap_size] != bitmap * count
        ):
            return 0
        block, grains = layer.blocks[0], count * shape.grains
        first, last = block * shape.grains, (block + count) * shape.grains
        self._ids[block * BLOCK_ID_SIZE : (block + count) * BLOCK_ID_SIZE] = layer.ids[
            : count * BLOCK_ID_SIZE
        ]
        self._block_depths[block : block + count] = bytes([depth]) * count
        self._places[first:last] = places[:grains]
        self._grain_depths[first:last] = bytes([depth]) * grains
        if shape.marked:
            self._marks[first * MARK_SIZE : last * MARK_SIZE] = layer.marks[: grains * MARK_SIZE]
        return count

    def block_id(self, block: int) -> bytes:
        """A block's hash."""
        return self.block_ids(block, 1)

    def block_ids(self, block: int, count: int) -> bytes:
        """The hashes of so many blocks, joined."""
        return bytes(self._ids[block * BLOCK_ID_SIZE : (block + count) * BLOCK_ID_SIZE])

    def marks(self, block: int, count: int) -> bytes:
        """The marks of the block's first `count` grains, joined; none if grains have no marks."""
        first = block * self._shape.grains
        return bytes(self._marks[first * MARK_SIZE : (first + count) * MARK_SIZE])

    def runs(self, block: int, start: int, end: int) -> Iterator[Run]:
        """Where these of the block's grains lie: places in `frames`, slots and counts."""
        first = block * self._shape.grains
        return runs_in(self._places[first + start : first + end])

    def used(self, count: int) -> Iterator[Run]:
        """Where the first `count` grains lie, in their order."""
        return runs_in(self._places[:count])

    def agrees(self, other: "Segment", count: int) -> bool:
        """Whether both tell the same of the first `count` grains and their blocks, each by a layer
        at the same place, wherever the grains lie."""
        ids = -(-count // self._shape.grains) * BLOCK_ID_SIZE
        marks = count * MARK_SIZE
        return (
            self._shape == other._shape
            and self._ids[:ids] == other._ids[:ids]
            and self._marks[:marks] == other._marks[:marks]
            and self._grain_depths[:count] == other._grain_depths[:count]
        )

    def check_whole(self, count: int) -> None:
        """Raise ManifestUnreadable unless each of the first `count` grains is somewhere."""
        if NOWHERE in self._places[:count]:
            raise ManifestUnreadable("the version's layers do not tell of all its content")

    def frames_used(self, count: int) -> list[Frame]:
        """The frames that hold any of the first `count` grains."""
        return [self.frames[place] for place in _frames_of(self._places[:count])]

    def layer(self, since: int, count: int) -> Layer:
        """The layers from the place `since` on as one, for the segment's first `count` grains."""
        per_block, step = self._shape.grains, self._shape.bitmap_size
        blocks, ids, bitmaps, marks = [], bytearray(), bytearray(), bytearray()
        places = array("Q")
        for block in range(-(-count // per_block)):
            if self._block_depths[block] <= since:
                continue
            first = block * per_block
            bits = 0
            for grain in range(first, min(first + per_block, count)):
                if self._grain_depths[grain] > since:
                    bits |= 1 << grain - first
                    places.append(self._places[grain])
                    marks += self._marks[grain * MARK_SIZE : (grain + 1) * MARK_SIZE]
            blocks.append(block)
            ids += self.block_id(block)
            bitmaps += bits.to_bytes(step, "little")
        used: dict[int, int] = {}  # a frame's place here -> there
        for frame in sorted(_frames_of(places)):
            used[frame] = len(used)
        runs = [(used[frame], slot, many) for frame, slot, many in runs_in(places)]
        frames = [self.frames[frame] for frame in used]
        return Layer(blocks, bytes(ids), bytes(bitmaps), bytes(marks), frames, runs)

    def _places_of(self, layer: Layer) -> "array[int]":
        places = array("Q")
        for frame, slot, count in layer.runs:
            place = (len(self.frames) + frame) << _SLOT_BITS | slot
            places.extend(range(place, place + count))
        return places


def _frames_of(places: "array[int]") -> set[int]:
    """Which frames these places name: the upper halves of the numbers, taken without a loop."""
    halves = array(_HALF, places.tobytes())
    return set(halves[1::2] if sys.byteorder == "little" else halves[::2])


@lru_cache(maxsize=1 << 13)
def runs_of(bitmap: bytes) -> list[tuple[int, int]]:
    """Starts and ends of the rows of bits that are set."""
    bits = int.from_bytes(bitmap, "little")
    found = []
    start = 0
    while bits:
        zeros = (bits & -bits).bit_length() - 1
        bits >>= zeros
        ones = (~bits & (bits + 1)).bit_length() - 1
        bits >>= ones
        start += zeros
        found.append((start, start + ones))
        start += ones
    return found


def runs_in(places: "array[int]") -> Iterator[Run]:
    """Places that follow one another, joined."""
    if not places:
        return
    start = before = places[0]
    if places[-1] - start == len(places) - 1 and places == array(
        "Q", range(start, start + len(places))
    ):
        yield start >> _SLOT_BITS, start & _SLOT, len(places)
        return
    for place in places[1:]:
        if place != before + 1:
            yield start >> _SLOT_BITS, start & _SLOT, before - start + 1
            start = place
        before = place
    yield start >> _SLOT_BITS, start & _SLOT, before - start + 1
