"""Grains that go from packs of much waste into new ones."""

import logging
from array import array
from collections.abc import Callable, Iterable, Iterator

from backups.errors import OBJECT_UNUSABLE
from backups.store.layers import Layer
from backups.store.packs import Frame, Pack, Piece
from backups.store.press import Press
from backups.store.project import ProjectStore
from backups.store.reader import PackReader, assembled
from backups.store.seal import MARK_SIZE
from backups.store.segment import NOWHERE, frame_and_slot, place_of, runs_in, runs_of
from backups.store.waste import LiveFrame, LivePack, Waste

logger = logging.getLogger(__name__)


class Moves:
    """Writes the needed grains of some packs anew, and knows where each has gone.

    That takes 8 bytes for each grain of the frames that are moved from.
    """

    def __init__(self, project_store: ProjectStore, press: Press, waste: Waste) -> None:
        self._project_store = project_store
        self._press = press
        self._waste = waste
        # Above all numbers of the family, so that they mean the same in each of its versions.
        self._writer = project_store.pack_writer(press, first_number=waste.next_pack)
        self._gone: dict[str, dict[int, array[int]]] = {}

    @property
    def new_packs(self) -> dict[int, Pack]:
        """The packs that were written, by their numbers."""
        return self._writer.packs

    @property
    def next_pack(self) -> int:
        """The number after the last of them."""
        return self._writer.next_number

    @property
    def left(self) -> set[str]:
        """The names of the packs that nothing needs any more when all is moved."""
        return set(self._gone)

    def gather(self, names: Iterable[str], step: Callable[[], None]) -> None:
        """Move what is needed of these packs. One that can't be read stays. Raises StorageError."""
        for name in names:
            try:
                self._gone[name] = self._gathered(self._waste.packs[name], step)
            except OBJECT_UNUSABLE as error:
                logger.warning("Pack %s can't be read, it stays: %s", name, error.reason)
        self._writer.finish()

    def abort(self) -> None:
        """Remove what was put. Raises StorageError."""
        self._writer.abort()

    def moved(self, layer: Layer, packs: dict[int, str]) -> Layer:
        """The layer with all grains where they are now, without those that no version needs.

        `packs`: the names of the packs that it is needed for. All its blocks stay, for their ids.
        """
        shape = self._waste.shape
        step = shape.bitmap_size
        bitmaps, marks = bytearray(), bytearray()
        places: list[tuple[Frame, int]] = []
        located = located_grains(layer)
        at = 0
        for number in range(len(layer.blocks)):
            bits = 0
            for start, end in runs_of(layer.grains[number * step : (number + 1) * step]):
                for grain in range(start, end):
                    place = self._place(*next(located), packs)
                    if place is not None:
                        bits |= 1 << grain
                        places.append(place)
                        marks += layer.marks[at * MARK_SIZE : (at + 1) * MARK_SIZE]
                    at += 1
            bitmaps += bits.to_bytes(step, "little")
        frames = sorted({frame for frame, _ in places})
        order = {frame: place for place, frame in enumerate(frames)}
        runs = runs_in(array("Q", (place_of(order[frame], slot) for frame, slot in places)))
        return Layer(layer.blocks, layer.ids, bytes(bitmaps), bytes(marks), frames, list(runs))

    def _gathered(self, live: LivePack, step: Callable[[], None]) -> "dict[int, array[int]]":
        reader = PackReader(
            self._project_store.store,
            self._project_store.gid,
            self._press,
            {found.frame.pack: live.pack for found in live.frames.values()},
        )
        whole = (
            (found, [Piece(found.frame, 0, found.frame.raw_length)])
            for _, found in sorted(live.frames.items())
        )
        gone = {}
        for found, data in assembled(reader, whole):
            step()
            gone[found.frame.offset] = self._added(found, data)
        return gone

    def _added(self, live: LiveFrame, data: bytes | memoryview) -> "array[int]":
        grain = self._waste.shape.grain
        slots = -(-len(data) // grain)
        gone = array("Q", [NOWHERE]) * slots
        for start, end in runs_of(live.grains.to_bytes(-(-slots // 8), "little")):
            # A copy: a view would keep all of what the frame holds.
            piece = bytes(data[start * grain : end * grain])
            frame, offset = self._writer.add(piece)
            first = place_of(frame, offset // grain)
            gone[start:end] = array("Q", range(first, first + end - start))
            if len(piece) % grain:
                self._writer.end_frame()  # the content's last grain may be shorter
        return gone

    def _place(self, frame: Frame, slot: int, packs: dict[int, str]) -> tuple[Frame, int] | None:
        """Where a grain is now; None when no version needs it."""
        gone = self._gone.get(packs.get(frame.pack, ""))
        if gone is None:
            return frame, slot
        slots = gone.get(frame.offset)
        if slots is None or slots[slot] == NOWHERE:
            return None
        place, new_slot = frame_and_slot(slots[slot])
        return self._writer.frames[place], new_slot


def located_grains(layer: Layer) -> Iterator[tuple[Frame, int]]:
    """The frame and the slot of each grain that a layer tells of, in its order."""
    for frame, slot, count in layer.runs:
        for place in range(slot, slot + count):
            yield layer.frames[frame], place
