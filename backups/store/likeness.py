"""Whether what was written anew tells the same as what it replaces; all of it read back."""

from collections.abc import Callable, Iterator

from blake3 import blake3

from backups.errors import ManifestUnreadable, ObjectDamaged
from backups.store.layers import Layer
from backups.store.moves import Moves, located_grains
from backups.store.outline import Outline
from backups.store.packs import Frame, Pack, Piece, pack_key
from backups.store.press import Press
from backups.store.project import ProjectStore
from backups.store.reader import PackReader, assembled
from backups.store.seal import BLOCK_ID_SIZE, MARK_SIZE
from backups.store.segment import runs_of
from backups.store.tables import Table
from backups.store.walk import Walk
from backups.store.waste import Waste, mark_of

OTHERWISE = "what was written anew is not what it replaces"


class Likeness:
    """Checks packs, then the layers that tell of them, then the segments that layers make.

    Together that proves that a version is the same as before: its segments have the same block
    ids and marks, each by the same layer as before; each grain of a layer lies where it lay, or in
    a new pack; and what lies there has the mark, or the block's id, that the layer tells.
    """

    def __init__(
        self, project_store: ProjectStore, press: Press, waste: Waste, moves: Moves
    ) -> None:
        """Raises KeyUnknown."""
        self._project_store = project_store
        self._waste = waste
        self._new_packs = moves.new_packs
        self._fingerprints = project_store.fingerprints(waste.identifier_key)
        self._reader = PackReader(project_store.store, project_store.gid, press, self._new_packs)
        self._before, self._after = Walk(project_store), Walk(project_store)
        self._checked: dict[bytes, frozenset[int]] = {}

    def check_pack(self, pack: Pack) -> None:
        """Raise StorageError unless the pack is stored as it was written."""
        data = self._project_store.store.get(pack_key(self._project_store.gid, pack.name))
        if len(data) != pack.length or blake3(data).hexdigest() != pack.name:
            raise ObjectDamaged("a pack in the backup storage is not the one written")

    def check_layer(
        self, old: Layer, table: Table, packs: dict[int, str], step: Callable[[], None]
    ) -> None:
        """Raise StorageError unless the new layer finds its grains where they are.

        `packs`: the names of the packs that the old one is needed for.
        """
        new = self._project_store.read_layer(table, self._waste.shape)
        if (new.blocks, new.ids) != (old.blocks, old.ids):
            raise ManifestUnreadable(OTHERWISE)
        before = {grain: where for grain, _, where in self._told(old)}
        moved: list[tuple[bytes, Frame, int]] = []
        for grain, mark, (frame, slot) in self._told(new):
            if frame.pack in self._new_packs:
                moved.append((mark, frame, slot))
            elif before.get(grain) != (frame, slot):
                raise ManifestUnreadable(OTHERWISE)
        self._check_grains(moved, step)

    def check_segment(self, old: Outline, new: Outline, number: int) -> frozenset[int]:
        """Raise StorageError unless both outlines tell the same of a segment.

        Returns the numbers of the new packs that the segment lies in.
        """
        count = old.shape.grains_in(old.segment_size(number))
        mark = mark_of(number, new.chains[number], count)
        if mark not in self._checked:
            before = self._before.segment(old, number).segment
            after = self._after.segment(new, number).segment
            if not after.agrees(before, count):
                raise ManifestUnreadable(OTHERWISE)
            used = {frame.pack for frame in after.frames_used(count)}
            self._checked[mark] = frozenset(used & self._new_packs.keys())
        return self._checked[mark]

    def _told(self, layer: Layer) -> Iterator[tuple[int, bytes, tuple[Frame, int]]]:
        """Each grain of a layer: its place in the segment, its mark or its block's id, and where
        it lies."""
        shape = self._waste.shape
        size = shape.bitmap_size
        at = 0
        located = located_grains(layer)
        for number, block in enumerate(layer.blocks):
            block_id = layer.ids[number * BLOCK_ID_SIZE : (number + 1) * BLOCK_ID_SIZE]
            for start, end in runs_of(layer.grains[number * size : (number + 1) * size]):
                for grain in range(start, end):
                    mark = layer.marks[at * MARK_SIZE : (at + 1) * MARK_SIZE]
                    at += 1
                    yield block * shape.grains + grain, mark or block_id, next(located)

    def _check_grains(
        self, moved: list[tuple[bytes, Frame, int]], step: Callable[[], None]
    ) -> None:
        shape = self._waste.shape
        pieces = (
            (mark, [Piece(frame, slot * shape.grain, shape.grain)]) for mark, frame, slot in moved
        )
        for mark, data in assembled(self._reader, pieces):
            step()
            if shape.marked:
                found = self._fingerprints.marks(data, shape.grain)
            else:
                found = self._fingerprints.block_id(data)
            if found != mark:
                raise ObjectDamaged(OTHERWISE)
