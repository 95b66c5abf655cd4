"""A version in the making."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from backups.errors import ManifestUnreadable
from backups.store.changes import Changes, first_to_join
from backups.store.indexing import tell
from backups.store.layers import Layer
from backups.store.lender import Lent
from backups.store.lenders import Lenders
from backups.store.outline import Chain, Outline
from backups.store.pack_numbers import PackNumbers
from backups.store.packs import Frame, Pack
from backups.store.press import Press
from backups.store.project import ProjectStore
from backups.store.seal import BLOCK_ID_SIZE
from backups.store.search import Search
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


class Draft:
    """Takes a snapshot's blocks in, in order, and ends as an outline.

    Blocks that a lender or the version itself has anywhere, and grains that a lender has at the
    same place, are left where they lie; all else goes into new packs. Packs and layers are read
    back and compared when they are put; the outline is the caller's.
    """

    def __init__(
        self,
        project_store: ProjectStore,
        press: Press,
        shape: Shape,
        lenders: Lenders,
        *,
        version: int,
        size: int,
    ) -> None:
        """`version`: the number that the index knows it by. `size`: about the content's bytes."""
        self._project_store = project_store
        self._shape = shape
        self._lenders = lenders
        self._version = version
        self._size = size
        self._press = press
        self._differs = False
        self._only_in: tuple[()] | tuple[int | None] = ()
        self._fingerprints = lenders.fingerprints
        self._whole = self._fingerprints.content_hasher()
        first_new = lenders.leading.outline.next_pack if lenders.leading else 0
        self._numbers = PackNumbers(first_new)
        self._frames: dict[tuple[int, int], tuple[Lent, Frame]] = {}
        self._writer = project_store.pack_writer(press, first_number=first_new)
        self._tables = project_store.tables()
        self._search = Search(project_store, lenders, shape, version=version, size=size)
        self._segment = 0
        self._next_lent = self._begin_to_lend(0)
        self._changes: Changes | None = None
        self._pending: deque[Changes] = deque()
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
            self._whole.add(*found)
            ids = [digest[:BLOCK_ID_SIZE] for digest in found]
            changes = self._changes or self._begin_segment()
            if changes.found_all(ids, len(piece)):
                self._found_in(changes.follows)
            else:
                view = memoryview(piece)
                for number, block_id in enumerate(ids):
                    self._add(view[number * size : (number + 1) * size], block_id)
            yield len(piece)

    @property
    def differs(self) -> bool:
        """False as long as all that was taken in is the beginning of one single earlier version."""
        return self._differs

    def known_facts(self) -> Mapping[str, Any] | None:
        """What an earlier version tells of the very content that was added; None if none can."""
        lender = self._lenders.with_content(self._whole.digest())
        return lender.outline.facts if lender and lender.is_sound else None

    def outline(self, source: Source, facts: Mapping[str, Any]) -> tuple[Table, Outline]:
        """Put what is left, and the description of the whole. Raises StorageError."""
        if self._changes:
            self._end_segment()
        self._writer.finish()
        self._settle()
        known = {**self._numbers.packs, **self._writer.packs}
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
            next_pack=self._numbers.next_pack(self._writer.next_number),
        )
        alike = self._lenders.with_content(outline.content_hash)
        if alike and outline == alike.outline:
            return alike.manifest.outline, outline
        return self._tables.put(self._project_store.sealed_outline(outline)), outline

    def abort(self) -> None:
        """Remove what was put. Raises StorageError."""
        try:
            self._tables.abort()
        finally:
            self._writer.abort()

    def _add(self, block: memoryview, block_id: bytes) -> None:
        if self._changes and self._changes.is_full:
            self._end_segment()
        changes = self._changes or self._begin_segment()
        if changes.found(block_id, len(block)):
            self._found_in(changes.follows)
            return
        if not self._search.find(changes, block_id, len(block)):
            self._store(changes, block, block_id)
        if changes.found_here:
            self._found_in(changes.follows)
        else:
            self._differs = True

    def _found_in(self, version: int | None) -> None:
        self._differs |= self._only_in not in ((), (version,))
        self._only_in = (version,)

    def _store(self, changes: Changes, block: memoryview, block_id: bytes) -> None:
        grain = self._shape.grain
        marks = self._fingerprints.marks(block, grain) if self._shape.marked else b""
        here, stored = self._search.grains(changes, marks, len(block))
        # What is kept for a frame must not keep all of what it was read with, unless the rest of
        # that goes into frames as well.
        keeps = changes.lents or self._search.has_found
        sources = []
        for first, end in _rows(stored):
            piece = block[first * grain : end * grain]
            frame, offset = self._writer.add(bytes(piece) if keeps else piece)
            sources.append((None, frame, offset // grain, end - first))
        self._search.stored(changes, block_id, marks, here, stored, tuple(sources), len(block))

    def _begin_to_lend(self, number: int) -> "Future[Lent | None] | None":
        leading = self._lenders.leading
        return self._press.begin(leading.lend, number) if leading else None

    def _begin_segment(self) -> Changes:
        """The segment that begins; the leading version's one after it is read meanwhile."""
        begun, self._next_lent = self._next_lent, self._begin_to_lend(self._segment + 1)
        leading = begun.result() if begun else None
        if self._lenders.leading:
            self._lenders.keep(self._lenders.leading, self._segment, leading)
        self._changes = Changes(self._shape, leading)
        self._search.begin(self._segment, self._changes)
        return self._changes

    def _end_segment(self) -> None:
        if self._changes:
            self._pending.append(self._changes)
        self._changes = None
        self._segment += 1
        self._settle()

    def _settle(self) -> None:
        while self._pending and self._pending[0].frames_needed <= len(self._writer.frames):
            self._put_segment(self._pending.popleft())

    def _put_segment(self, changes: Changes) -> None:
        base = next(
            (lent for lent in changes.bases() if self._numbers.agree(lent.packs, lent.next_pack)),
            None,
        )
        grains = self._shape.grains_in(changes.size)
        segment = base.segment if base else Segment(self._shape)
        chain = base.chain if base else ()
        layer = changes.layer(base, self._frame)
        if layer:
            segment = segment.copy()
            segment.apply(layer)
            first = first_to_join(segment.layer_grains)
            if first < len(chain):
                layer = segment.layer(first, grains)
            chain = (*chain[:first], self._put_layer(layer))
        number = len(self._chains)
        self._chains.append(chain)
        self._packs.update(frame.pack for frame in segment.frames_used(grains))
        self._frames.clear()
        self._search.settled(changes, chain)
        if layer or base is not changes.leading:
            if changes.leading is None:
                tell(self._lenders.index, self._version, self._size, number, segment, grains, None)
            else:
                self._search.tell(changes, number)

    def _frame(self, lent: Lent | None, place: int) -> Frame:
        """The frame at a place in a lent segment, or of the writer's, as this version calls it."""
        if lent is None:
            return self._writer.frames[place]
        known = self._frames.get((id(lent), place))
        if known is None:
            frame = lent.segment.frames[place]
            if not lent.is_own:
                number = self._numbers.number_of(lent.packs[frame.pack], frame.pack)
                frame = frame._replace(pack=number)
            known = self._frames[id(lent), place] = (lent, frame)
        return known[1]

    def _put_layer(self, layer: Layer) -> Table:
        table = self._tables.put(self._project_store.sealed_layer(layer))
        if self._project_store.read_layer(table, self._shape) != layer:
            raise ManifestUnreadable("a table read back is not the one written")
        return table


def _rows(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Starts and ends of the rows of numbers that follow one another."""
    if numbers and numbers[-1] - numbers[0] + 1 == len(numbers):
        yield numbers[0], numbers[-1] + 1
        return
    start = 0
    for place in range(1, len(numbers) + 1):
        if place == len(numbers) or numbers[place] != numbers[place - 1] + 1:
            yield numbers[start], numbers[place - 1] + 1
            start = place
