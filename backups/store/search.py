"""Looks for what a version in the making has to store: perhaps it is in the store already."""

import logging
from array import array
from collections.abc import Sequence

from backups.errors import StorageError
from backups.store.changes import MOST_LENTS, Changes, Source, Told
from backups.store.index import block_key, grain_key, mark_mask
from backups.store.lender import Lent
from backups.store.lenders import Lenders
from backups.store.outline import Chain
from backups.store.project import ProjectStore
from backups.store.segment import Segment
from backups.store.shape import Shape

logger = logging.getLogger(__name__)

# Segments that are read for one of the new version, so that a search never takes long.
_MOST_READ = 16


class Search:
    """Finds blocks anywhere in the lenders and in the version itself, and grains at their place.

    A search that was of use goes on where it was: blocks mostly follow one another as they did,
    and the index does not know of each.
    """

    def __init__(
        self,
        project_store: ProjectStore,
        lenders: Lenders,
        shape: Shape,
        *,
        version: int,
        size: int,
    ) -> None:
        """`version`: the number that the index knows the new one by; `size`: about its bytes."""
        self._project_store = project_store
        self._lenders = lenders
        self._shape = shape
        self._version = version
        self._mask = mark_mask(shape.grains_in(size))
        self.has_found = False
        self._number = 0
        self._left = 0
        self._here: set[int] = set()
        self._next: tuple[Lent, int] | None = None
        self._open: list[Changes] = []
        self._settled: list[tuple[Chain, int]] = []
        self._own: tuple[int, Lent | None] | None = None

    def begin(self, number: int, changes: Changes) -> None:
        """The segment with this number begins."""
        self._number = number
        self._left = _MOST_READ
        self._here = set()
        leading = self._lenders.leading
        if leading is not None:
            self._here.add(leading.manifest.version)
        if self._open and self._open[-1].follows is not None:
            # What the last segment was mostly found in.
            self._compare_with(changes, self._open[-1].follows)
        self._open.append(changes)

    def settled(self, changes: Changes, chain: Chain) -> None:
        """The segment, the first of those that are not settled, has this chain."""
        self._open.remove(changes)
        self._settled.append((chain, changes.size))

    def tell(self, changes: Changes, number: int) -> None:
        """Add to the index what this segment has that the leading version lacks at its place."""
        shape, mask = self._shape, self._mask
        first = number * shape.segment_blocks
        entries = []
        for block, told in changes.unlike_leading():
            entries.append((block_key(told.block_id), first + block))
            if shape.marked:
                place = (first + block) * shape.grains
                numbers = array("Q", told.marks)
                if told.here and changes.leading:
                    grains: Sequence[int] = told.others
                    if told.here.strip(b"\0\1"):
                        grains = [grain for grain, owner in enumerate(told.here) if owner != 1]
                else:
                    grains = range(len(numbers))
                entries += [
                    (grain_key(numbers[grain], place + grain), place + grain)
                    for grain in grains
                    if not numbers[grain] & mask
                ]
        self._lenders.index.reserve(len(entries))
        self._lenders.index.add_all(self._version, entries)

    def find(self, changes: Changes, block_id: bytes, length: int) -> bool:
        """Take the next block in, if it is found."""
        if self._next is not None:
            follows, inner = self._next
            if inner < self._shape.segment_blocks and follows.has(inner, block_id, length):
                self._take(changes, block_id, length, follows, inner)
                return True
        for other in self._open:
            if block_id in other.new:
                changes.tell(other.new[block_id], length)
                self.has_found = True
                return True
        here = self._number * self._shape.segment_blocks + changes.blocks
        places = self._lenders.blocks_seen(block_id, self._version)
        for version, place in sorted(places, key=lambda seen: seen[1] != here):
            number, inner = divmod(place, self._shape.segment_blocks)
            if number == self._number and version != self._version:
                self._compare_with(changes, version)
                if place == here and changes.found(block_id, length):
                    self.has_found = True
                    return True
            lent = self._lent(version, number)
            if lent is not None and lent.has(inner, block_id, length):
                self._take(changes, block_id, length, lent, inner)
                return True
        return False

    def grains(self, changes: Changes, marks: bytes, length: int) -> tuple[bytes, Sequence[int]]:
        """For a block that was not found: which lent segment has each grain, see `Told`; and the
        grains that have to be stored."""
        count = self._shape.grains_in(length)
        if not self._shape.marked or not (changes.lents or self._lenders.are_many):
            return b"", range(count)
        here = bytearray(count)
        rest = list(range(count))
        for place in changes.in_turn():
            rest = _compared(changes, place, marks, here, rest)
        if rest and self._lenders.are_many:
            rest = self._searched(changes, marks, here, rest)
        if not rest and len(set(here)) == 1:
            lent = changes.lents[here[0] - 1]
            if length >= lent.length(changes.blocks):
                # Two grains with the same mark: all is stored, so that none is taken for another.
                return b"", range(count)
        return (bytes(here) if len(rest) < count else b""), rest

    def stored(
        self,
        changes: Changes,
        block_id: bytes,
        marks: bytes,
        here: bytes,
        stored: Sequence[int],
        sources: tuple[Source, ...],
        length: int,
    ) -> None:
        """Take the next block in; `sources` tell where the grains went that were to be stored."""
        told = Told(block_id, marks, here, stored, sources)
        changes.tell(told, length)
        if not here:
            changes.new[block_id] = told

    def _searched(
        self, changes: Changes, marks: bytes, here: bytearray, rest: list[int]
    ) -> list[int]:
        """Which of the grains are in no version that the index names either."""
        numbers = array("Q", marks)
        first = (self._number * self._shape.segment_blocks + changes.blocks) * self._shape.grains
        for grain in rest.copy():
            if not numbers[grain] & self._mask and not here[grain]:
                for version in self._lenders.grains_seen(numbers[grain], first + grain):
                    if self._compare_with(changes, version):
                        rest = _compared(changes, len(changes.lents) - 1, marks, here, rest)
        return rest

    def _compare_with(self, changes: Changes, version: int) -> bool:
        """Compare what comes with another version's segment at the same place, if it has one."""
        if version in self._here or len(changes.lents) >= MOST_LENTS:
            return False
        lent = self._lent(version, self._number)
        if lent is None:
            return False
        self._here.add(version)
        changes.add_lent(lent, version)
        return True

    def _take(self, changes: Changes, block_id: bytes, length: int, lent: Lent, inner: int) -> None:
        count = self._shape.grains_in(length)
        sources = tuple((lent, *run) for run in lent.segment.runs(inner, 0, count))
        marks = lent.segment.marks(inner, count)
        changes.tell(Told(block_id, marks, b"", range(count), sources), length)
        self._next = (lent, inner + 1)
        self.has_found = True

    def _lent(self, version: int, number: int) -> Lent | None:
        if version == self._version:
            return self._own_lent(number)
        if not self._lenders.is_read(version, number):
            if not self._left:
                return None
            self._left -= 1
        return self._lenders.lent(version, number)

    def _own_lent(self, number: int) -> Lent | None:
        """A segment of the new version, read back."""
        if number >= len(self._settled):
            return None
        if self._own is None or self._own[0] != number:
            if not self._left:
                return None
            self._left -= 1
            self._own = (number, self._read_own(number))
        return self._own[1]

    def _read_own(self, number: int) -> Lent | None:
        chain, size = self._settled[number]
        segment = Segment(self._shape)
        try:
            for table in chain:
                segment.apply(self._project_store.read_layer(table, self._shape))
        except StorageError as error:
            logger.warning("A part of the version can't be read back yet: %s", error.reason)
            return None
        return Lent(segment, chain, self._shape, size, packs={}, is_own=True)


def _compared(
    changes: Changes, place: int, marks: bytes, here: bytearray, rest: Sequence[int]
) -> list[int]:
    """Which of the grains the lent segment at this place does not have; the others are noted."""
    if not rest:
        return []
    differing = changes.lents[place].differing(changes.blocks, marks, len(here))
    if len(differing) == len(here):
        return list(rest)
    if len(rest) == len(here):
        here[:] = bytes([place + 1]) * len(here)
        for grain in differing:
            here[grain] = 0
        return differing
    missing = set(differing)
    for grain in rest:
        if grain not in missing:
            here[grain] = place + 1
    return [grain for grain in rest if grain in missing]
