"""A version in the making."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any, Protocol

from backups.errors import ManifestUnreadable
from backups.store.changes import Changes, first_to_join
from backups.store.layers import Layer
from backups.store.outline import Chain, Outline
from backups.store.packs import Pack
from backups.store.parent import Lent, Parent
from backups.store.press import Press
from backups.store.project import ProjectStore
from backups.store.seal import BLOCK_ID_SIZE
from backups.store.segment import Segment
from backups.store.shape import Shape
from backups.store.tables import Table


class Source(Protocol):
    """What an outline tells of where its content came from."""

    @property
    def unit(self) -> str: ...
    @property
    def unit_size(self) -> int: ...
    @property
    def units(self) -> int: ...
    @property
    def size(self) -> int: ...


class _Pending:
    """A segment whose last frames are still on their way."""

    def __init__(self, lent: Lent | None, changes: Changes, size: int) -> None:
        self.lent = lent
        self.changes = changes
        self.size = size


class Draft:
    """Takes a snapshot's blocks in, in order, and ends as an outline.

    Blocks and grains that the parent has are left where they lie, all others go into new packs.
    Packs and layers are read back and compared when they are put; the outline is the caller's.
    """

    def __init__(
        self, project_store: ProjectStore, press: Press, shape: Shape, parent: Parent | None
    ) -> None:
        self._project_store = project_store
        self._shape = shape
        self._parent = parent
        self._press = press
        self._differs = False
        self._fingerprints = project_store.fingerprints(
            parent.outline.identifier_key if parent else None
        )
        self._whole = self._fingerprints.content_hasher()
        self._writer = project_store.pack_writer(
            press, first_number=parent.outline.next_pack if parent else 0
        )
        self._tables = project_store.tables()
        self._block = 0  # in the segment
        self._segment = 0
        self._segment_size = 0
        self._next_lent = self._begin_to_lend(0)
        self._lent: Lent | None = None
        self._changes = Changes(shape)
        self._pending: deque[_Pending] = deque()
        self._chains: list[Chain] = []
        self._packs: set[int] = set()

    @property
    def new_packs(self) -> Mapping[int, Pack]:
        """The packs put so far."""
        return self._writer.packs

    @property
    def new_tables(self) -> list[Table]:
        """The outline and the layers put so far."""
        return self._tables.new

    def add_all(self, pieces: Iterable[bytes]) -> Iterator[int]:
        """Take a content in, in pieces of whole blocks; gives the length of each one taken in.

        Raises StorageError, and what `pieces` raises.
        """
        size = self._shape.block_size

        def digests(piece: bytes) -> list[bytes]:
            return self._fingerprints.block_digests(piece, size)

        for piece, found in self._press.in_order(digests, pieces):
            if not (self._segment or self._block):
                self._lent = self._lent_segment()
            self._whole.add(*found)
            ids = [digest[:BLOCK_ID_SIZE] for digest in found]
            if not self._add_known(ids, len(piece)):
                view = memoryview(piece)
                for number, block_id in enumerate(ids):
                    self._add(view[number * size : (number + 1) * size], block_id)
            yield len(piece)

    @property
    def differs(self) -> bool:
        """Whether a block was taken in that is not the parent's."""
        return self._differs

    def _add_known(self, block_ids: list[bytes], length: int) -> bool:
        """Take some blocks in at once, if all are the parent's and lie in one segment."""
        if self._block + len(block_ids) > self._shape.segment_blocks:
            return False
        if not (self._lent and self._lent.has_all(self._block, block_ids, length)):
            return False
        self._block += len(block_ids)
        self._segment_size += length
        return True

    def _add(self, block: memoryview, block_id: bytes) -> None:
        if self._block == self._shape.segment_blocks:
            self._end_segment()
        if not (self._lent and self._lent.has(self._block, block_id, len(block))):
            self._differs = True
            self._add_different(block, block_id)
        self._block += 1
        self._segment_size += len(block)

    def known_facts(self) -> Mapping[str, Any] | None:
        """What the parent tells of the very content that was added; None if it can't."""
        parent = self._parent
        if parent and parent.is_sound and parent.outline.content_hash == self._whole.digest():
            return parent.outline.facts
        return None

    def outline(self, source: Source, facts: Mapping[str, Any]) -> tuple[Table, Outline]:
        """Put what is left, and the description of the whole. Raises StorageError."""
        if self._block:
            self._end_segment()
        self._writer.finish()
        self._settle()
        lender = self._parent.outline if self._parent else None
        known = {**(lender.packs if lender else {}), **self._writer.packs}
        outline = Outline(
            unit=source.unit,
            unit_size=source.unit_size,
            units=source.units,
            size=source.size,
            facts=facts,
            identifier_key=self._fingerprints.key_id,
            content_hash=self._whole.digest(),
            shape=self._shape,
            chains=tuple(self._chains),
            packs={number: known[number] for number in sorted(self._packs)},
            next_pack=self._writer.next_number,
        )
        if self._parent and outline == lender:
            return self._parent.manifest.outline, outline
        return self._tables.put(self._project_store.sealed_outline(outline)), outline

    def abort(self) -> None:
        """Remove what was put. Raises StorageError."""
        try:
            self._tables.abort()
        finally:
            self._writer.abort()

    def _add_different(self, block: memoryview, block_id: bytes) -> None:
        grain, lent = self._shape.grain, self._lent
        count = self._shape.grains_in(len(block))
        marks = self._fingerprints.marks(block, grain) if self._shape.marked else b""
        different: Iterable[int] = range(count)
        if lent:
            different = lent.differing(self._block, marks, count)
            if not different and len(block) >= lent.length(self._block):
                # Two grains with the same mark: all is stored, so that none is taken for another.
                different = range(count)
        stored = list(different)
        for first, end in _rows(stored):
            piece = block[first * grain : end * grain]
            # What is kept for a frame must not keep all of what it was read with, unless the rest
            # of that goes into frames as well.
            frame, offset = self._writer.add(bytes(piece) if self._lent else piece)
            self._changes.run(frame, offset // grain, end - first)
        self._changes.block(self._block, block_id, marks, stored)

    def _begin_to_lend(self, number: int) -> "Future[Lent | None] | None":
        return self._press.begin(self._parent.lend, number) if self._parent else None

    def _lent_segment(self) -> Lent | None:
        """The parent's segment that begins; the one after it is read meanwhile."""
        begun, self._next_lent = self._next_lent, self._begin_to_lend(self._segment + 1)
        return begun.result() if begun else None

    def _end_segment(self) -> None:
        self._pending.append(_Pending(self._lent, self._changes, self._segment_size))
        self._settle()
        self._segment += 1
        self._block = self._segment_size = 0
        self._lent, self._changes = self._lent_segment(), Changes(self._shape)

    def _settle(self) -> None:
        while self._pending and self._pending[0].changes.frames_needed() <= len(
            self._writer.frames
        ):
            self._put_segment(self._pending.popleft())

    def _put_segment(self, pending: _Pending) -> None:
        segment = pending.lent.segment if pending.lent else Segment(self._shape)
        chain = pending.lent.chain if pending.lent else ()
        grains = self._shape.grains_in(pending.size)
        if pending.changes:
            layer = pending.changes.layer(self._writer.frames)
            segment.apply(layer)
            first = first_to_join(segment.layer_grains)
            if first < len(chain):
                layer = segment.layer(first, grains)
            chain = (*chain[:first], self._put_layer(layer))
        self._chains.append(chain)
        self._packs.update(frame.pack for frame in segment.frames_used(grains))

    def _put_layer(self, layer: Layer) -> Table:
        table = self._tables.put(self._project_store.sealed_layer(layer))
        if self._project_store.read_layer(table, self._shape) != layer:
            raise ManifestUnreadable("a table read back is not the one written")
        return table


def _rows(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Starts and ends of the rows of numbers that follow one another."""
    start = 0
    for place in range(1, len(numbers) + 1):
        if place == len(numbers) or numbers[place] != numbers[place - 1] + 1:
            yield numbers[start], numbers[place - 1] + 1
            start = place
