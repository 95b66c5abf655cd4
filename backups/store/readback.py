"""What was written, read back."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from backups.errors import ObjectDamaged
from backups.store.outline import Outline
from backups.store.packs import Pack, Piece
from backups.store.press import Press
from backups.store.project import ProjectStore
from backups.store.reader import assembled
from backups.store.seal import MARK_SIZE
from backups.store.segment import Segment, runs_of
from backups.store.tables import Table


class _Expected(NamedTuple):
    """What some bytes must give: the hash of a block, or the marks of grains."""

    digest: bytes
    is_block: bool


class ReadBack:
    """Compares all grains of new packs with what the layers that were read back say of them."""

    def __init__(
        self,
        project_store: ProjectStore,
        press: Press,
        outline: Outline,
        new_packs: Mapping[int, Pack],
    ) -> None:
        """Raises KeyUnknown."""
        self._project_store = project_store
        self._outline = outline
        self._new_packs = new_packs
        self._fingerprints = project_store.fingerprints(outline.identifier_key)
        self._reader = project_store.pack_reader(press, outline, whole=frozenset(new_packs))

    def check(self, number: int, table: Table) -> Iterator[int]:
        """Check a segment's new layer. Yields, now and then, how many bytes of the packs were
        found right. Raises StorageError."""
        shape = self._outline.shape
        for expected, data in assembled(self._reader, self._written(number, table)):
            if expected.is_block:
                found = self._fingerprints.block_id(data)
            else:
                found = self._fingerprints.marks(data, shape.grain)
            if found != expected.digest:
                raise ObjectDamaged("what was read back is not what was written")
            yield len(data)

    def _written(self, number: int, table: Table) -> Iterator[tuple[_Expected, list[Piece]]]:
        shape = self._outline.shape
        size = self._outline.segment_size(number)
        layer = self._project_store.read_layer(table, shape)
        segment = Segment(shape)
        segment.apply(layer)
        step = shape.bitmap_size
        for place, block in enumerate(layer.blocks):
            bitmap = layer.grains[place * step : (place + 1) * step]
            grains = shape.grains_in(min(shape.block_size, size - block * shape.block_size))
            marks = segment.marks(block, grains)
            pieces, wanted, seen = [], b"", 0
            for start, end in runs_of(bitmap):
                for frame, slot, count in segment.runs(block, start, end):
                    if segment.frames[frame].pack in self._new_packs:
                        pieces.append(
                            Piece(segment.frames[frame], slot * shape.grain, count * shape.grain)
                        )
                        wanted += marks[start * MARK_SIZE : (start + count) * MARK_SIZE]
                        seen += count
                    start += count
            if seen == grains:
                yield _Expected(segment.block_id(block), True), pieces
            elif pieces:
                yield _Expected(wanted, False), pieces
