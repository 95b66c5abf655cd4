"""What a segment of a version in the making is made of."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from backups.store.layers import Layer, Run
from backups.store.lender import Lent
from backups.store.packs import Frame
from backups.store.seal import MARK_SIZE
from backups.store.shape import Shape

# More layers than these on a segment, and some are joined.
_MOST_LAYERS = 16
# Versions that are compared at one place.
MOST_LENTS = 8

Source = tuple[Lent | None, int, int, int]
"""Where grains that follow one another lie: a lent segment, or None for the new packs; the place in
its frames, the slot in the frame, and how many there are."""

FrameOf = Callable[[Lent | None, int], Frame]
"""The frame at a place in a lent segment, or of the new packs, as the new version calls it."""


class Told(NamedTuple):
    """A block that no version has at this place.

    `here`: for each grain the lent segment, counted from 1, that has it at this place, 0 for none.
    Empty: none has any. `others` are the grains that none has; `sources` tell where these lie.
    """

    block_id: bytes
    marks: bytes
    here: bytes
    others: Sequence[int]
    sources: tuple[Source, ...]


class Changes:
    """Block by block, where a segment's content was found.

    Becomes a layer over any one of the lent segments, or over nothing, when all new frames that it
    needs have been written.
    """

    def __init__(self, shape: Shape, leading: Lent | None) -> None:
        """`leading`: the segment of the version that leads."""
        self._shape = shape
        self.leading = leading
        self.lents: list[Lent] = [leading] if leading else []
        self._versions: list[int | None] = [None] if leading else []
        self.blocks = 0
        self.size = 0
        # Whether the last block was found at its place.
        self.found_here = False
        # All of a block new: for those that are the same.
        self.new: dict[bytes, Told] = {}
        self.frames_needed = 0
        self._owners = bytearray(shape.segment_blocks)
        self._told: dict[int, Told] = {}
        self._first = 0

    @property
    def is_full(self) -> bool:
        return self.blocks == self._shape.segment_blocks

    def add_lent(self, lent: Lent, version: int) -> None:
        """Another version's segment to be compared with, first of all."""
        self._first = len(self.lents)
        self.lents.append(lent)
        self._versions.append(version)

    @property
    def follows(self) -> int | None:
        """The version that had the last block that was found here; None for the one that leads."""
        return self._versions[self._first] if self._versions else None

    def found_all(self, block_ids: list[bytes], length: int) -> bool:
        """Take some blocks in at once, if the version that had the last one has them all."""
        count = len(block_ids)
        if not self.lents or self.blocks + count > self._shape.segment_blocks:
            return False
        if not self.lents[self._first].has_all(self.blocks, block_ids, length):
            return False
        self.found_here = True
        owner = bytes([self._first + 1])
        self._owners[self.blocks : self.blocks + count] = owner * count
        self.blocks += count
        self.size += length
        return True

    def found(self, block_id: bytes, length: int) -> bool:
        """Take the next block in, if one of the versions has it at this place."""
        for place in self.in_turn():
            if self.lents[place].has(self.blocks, block_id, length):
                self._first = place
                self.found_here = True
                self._owners[self.blocks] = place + 1
                self.blocks += 1
                self.size += length
                return True
        return False

    def tell(self, told: Told, length: int) -> None:
        """Take the next block in, which was not found so."""
        self._told[self.blocks] = told
        self.found_here = False
        for lent, frame, _, _ in told.sources:
            if lent is None:
                self.frames_needed = max(self.frames_needed, frame + 1)
        self.blocks += 1
        self.size += length

    def in_turn(self) -> Sequence[int]:
        """The places of the lent segments, the one that had the last block first."""
        if self._first == 0:
            return range(len(self.lents))
        return [self._first, *(n for n in range(len(self.lents)) if n != self._first)]

    def bases(self) -> list[Lent]:
        """The lent segments, first the one on top of which the least has to be stored."""
        order = sorted(
            range(len(self.lents)), key=lambda place: (-self._owners.count(place + 1), place)
        )
        return [self.lents[place] for place in order]

    def unlike_leading(self) -> Iterator[tuple[int, Told]]:
        """The blocks that the version that leads does not have here."""
        if self.leading is None:
            chosen: Iterable[int] = range(self.blocks)
        else:
            chosen = [block for block in range(self.blocks) if self._owners[block] != 1]
        for block in chosen:
            yield block, self._told.get(block) or self._owned(block)

    def layer(self, base: Lent | None, frame_of: FrameOf) -> Layer | None:
        """The layer to store on top of this base; None if the base has everything."""
        owner = 1 + self.lents.index(base) if base else 0
        gathered = LayerInMaking(self._shape)
        for block in range(self.blocks):
            if self._owners[block] != owner or not owner:
                self._gather(gathered, block, base, owner, frame_of)
        return gathered.layer() if gathered.blocks else None

    def _gather(
        self,
        gathered: "LayerInMaking",
        block: int,
        base: Lent | None,
        owner: int,
        frame_of: FrameOf,
    ) -> None:
        told = self._told.get(block) or self._owned(block)
        if told.others and (
            not told.here.strip(bytes([0, owner]))
            if told.here
            else base is None or told.sources[0][0] is None
        ):
            # Mostly: what is to be told is what was stored.
            for source, frame, slot, many in told.sources:
                gathered.run(frame_of(source, frame), slot, many)
            gathered.block(block, told.block_id, told.marks, told.others)
            return
        length = min(self._shape.block_size, self.size - block * self._shape.block_size)
        here = told.here or bytes(self._shape.grains_in(length))
        grains = self._grains_to_tell(told, here, block, length, base, owner)
        for start, end in _alike(grains, here):
            if here[start]:
                lent = self.lents[here[start] - 1]
                for frame, slot, many in lent.segment.runs(block, start, end):
                    gathered.run(frame_of(lent, frame), slot, many)
            else:
                first = here[:start].count(0)
                for source, frame, slot, many in _cut(told.sources, first, first + end - start):
                    gathered.run(frame_of(source, frame), slot, many)
        gathered.block(block, told.block_id, told.marks, grains)

    def _owned(self, block: int) -> Told:
        """A block that a version has, as if no version had it."""
        owner = self._owners[block]
        length = min(self._shape.block_size, self.size - block * self._shape.block_size)
        count = self._shape.grains_in(length)
        segment = self.lents[owner - 1].segment
        return Told(
            segment.block_id(block), segment.marks(block, count), bytes([owner]) * count, (), ()
        )

    def _grains_to_tell(
        self, told: Told, here: bytes, block: int, length: int, base: Lent | None, owner: int
    ) -> Sequence[int]:
        count = len(here)
        if base is None:
            return range(count)
        if told.here and not here.strip(bytes([0, owner])):
            grains = list(told.others)
        else:
            differing = set(base.differing(block, told.marks, count))
            stored = bool(told.here)  # all that is nowhere here is new then
            grains = [
                grain
                for grain in range(count)
                if here[grain] != owner and (grain in differing or (stored and not here[grain]))
            ]
        if not grains and length >= base.length(block):
            # Two grains with the same mark: all is told, so that none is taken for another.
            return range(count)
        return grains


class LayerInMaking:
    """A layer in the making."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.blocks: list[int] = []
        self._ids = bytearray()
        self._bitmaps = bytearray()
        self._marks = bytearray()
        self._runs: list[tuple[Frame, int, int]] = []

    def run(self, frame: Frame, slot: int, count: int) -> None:
        """Where the next so many of the grains lie."""
        if self._runs:
            before, first, so_far = self._runs[-1]
            if before is frame and first + so_far == slot:
                self._runs[-1] = (before, first, so_far + count)
                return
        self._runs.append((frame, slot, count))

    def block(self, block: int, block_id: bytes, marks: bytes, grains: Sequence[int]) -> None:
        """The next block, with the marks of all its grains; these of them are told."""
        self.blocks.append(block)
        self._ids += block_id
        if len(grains) * MARK_SIZE == len(marks) or not marks:
            bits = (1 << len(grains)) - 1
            self._marks += marks
        else:
            bits = 0
            for grain in grains:
                bits |= 1 << grain
                self._marks += marks[grain * MARK_SIZE : (grain + 1) * MARK_SIZE]
        self._bitmaps += bits.to_bytes(self._shape.bitmap_size, "little")

    def layer(self) -> Layer:
        frames = sorted({frame for frame, _, _ in self._runs})
        order = {frame: place for place, frame in enumerate(frames)}
        return Layer(
            blocks=self.blocks,
            ids=bytes(self._ids),
            grains=bytes(self._bitmaps),
            marks=bytes(self._marks),
            frames=frames,
            runs=_joined((order[frame], slot, count) for frame, slot, count in self._runs),
        )


def _joined(runs: Iterable[Run]) -> list[Run]:
    found: list[Run] = []
    for frame, slot, count in runs:
        if found and found[-1][0] == frame and found[-1][1] + found[-1][2] == slot:
            found[-1] = (frame, found[-1][1], found[-1][2] + count)
        else:
            found.append((frame, slot, count))
    return found


def _alike(grains: Sequence[int], here: bytes) -> Iterator[tuple[int, int]]:
    """Starts and ends of the rows of grains that follow one another and are had from one place."""
    start = 0
    for at in range(1, len(grains) + 1):
        if (
            at == len(grains)
            or grains[at] != grains[at - 1] + 1
            or here[grains[at]] != here[grains[start]]
        ):
            yield grains[start], grains[at - 1] + 1
            start = at


def _cut(sources: Iterable[Source], start: int, end: int) -> Iterator[Source]:
    """What these sources tell of the grains from `start` up to `end`, counted over all of them."""
    at = 0
    for lent, frame, slot, count in sources:
        first, last = max(start, at), min(end, at + count)
        if first < last:
            yield lent, frame, slot + first - at, last - first
        at += count


def first_to_join(grains: Sequence[int]) -> int:
    """From which layer on a segment's layers, the newest last, are to be written as one.

    `grains`: how many each of them tells of. When all later ones together tell of as many as the
    first they are of no more use: all become one. When they are too many, the newest are joined,
    those that are no larger than what is joined already and at least half of them; so each grain
    is written again a few times only, however many versions there are.
    """
    last = len(grains) - 1
    if last and sum(grains[1:]) >= grains[0]:
        return 0
    if len(grains) <= _MOST_LAYERS:
        return last
    first, joined = last, grains[last]
    while first > 1 and (grains[first - 1] <= joined or len(grains) - first < _MOST_LAYERS // 2):
        first -= 1
        joined += grains[first]
    return first
