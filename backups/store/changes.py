"""What a version in the making changes in a segment."""

from collections.abc import Sequence

from backups.store.layers import Layer, Run
from backups.store.packs import Frame
from backups.store.seal import MARK_SIZE
from backups.store.shape import Shape

# More layers than these on a segment, and some are joined.
_MOST_LAYERS = 16


class Changes:
    """Becomes a layer when all frames that it needs have been written."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._blocks: list[int] = []
        self._ids = bytearray()
        self._bitmaps = bytearray()
        self._marks = bytearray()
        self._runs: list[Run] = []

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def block(self, block: int, block_id: bytes, marks: bytes, grains: Sequence[int]) -> None:
        """The segment's next block that differs, by these grains; all its marks."""
        self._blocks.append(block)
        self._ids += block_id
        bits = 0
        for grain in grains:
            bits |= 1 << grain
            self._marks += marks[grain * MARK_SIZE : (grain + 1) * MARK_SIZE]
        self._bitmaps += bits.to_bytes(self._shape.bitmap_size, "little")

    def run(self, frame: int, slot: int, count: int) -> None:
        """Where the next so many of these grains lie: the writer's frame and the slot in it."""
        if self._runs:
            before, first, so_far = self._runs[-1]
            if (before, first + so_far) == (frame, slot):
                self._runs[-1] = (before, first, so_far + count)
                return
        self._runs.append((frame, slot, count))

    def frames_needed(self) -> int:
        """How many frames the writer must have finished."""
        return self._runs[-1][0] + 1 if self._runs else 0

    def layer(self, frames: Sequence[Frame]) -> Layer:
        """The layer, with the writer's frames."""
        first = self._runs[0][0] if self._runs else 0
        return Layer(
            blocks=self._blocks,
            ids=bytes(self._ids),
            grains=bytes(self._bitmaps),
            marks=bytes(self._marks),
            frames=list(frames[first : self.frames_needed()]),
            runs=[(frame - first, slot, count) for frame, slot, count in self._runs],
        )


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
