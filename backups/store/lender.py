"""What an earlier version lends to a new one."""

import logging
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backups.errors import (
    OBJECT_UNUSABLE,
    ObjectDamaged,
    ObjectMissing,
    ObjectUnreadable,
)
from backups.facts import passed_for_sound
from backups.store.manifest import Manifest
from backups.store.outline import Chain, Outline
from backups.store.packs import Pack, pack_key
from backups.store.project import ProjectStore
from backups.store.segment import Segment
from backups.store.shape import Shape
from backups.store.tables import table_key

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Lent:
    """A segment of a version. Grains in `lost_frames` can't be read.

    `packs` are the version's, by the numbers that the segment's frames call them. `next_pack` is
    above all numbers in the layers of `chain`. `is_own`: it is the new version's own, which has no
    packs yet.
    """

    segment: Segment
    chain: Chain
    shape: Shape
    size: int
    packs: Mapping[int, Pack] = field(repr=False)
    next_pack: int = 0
    lost_frames: frozenset[int] = frozenset()
    is_own: bool = False

    def length(self, block: int) -> int:
        """Bytes in the block; 0 after the last."""
        return max(0, min(self.shape.block_size, self.size - block * self.shape.block_size))

    def has(self, block: int, block_id: bytes, length: int) -> bool:
        """Whether the version has this very block here, and all of it is to be had."""
        return (
            self.segment.block_id(block) == block_id
            and self.length(block) == length
            and not (self.lost_frames and self._lost(block))
        )

    def has_all(self, block: int, block_ids: Sequence[bytes], length: int) -> bool:
        """The same of some blocks that follow one another, of `length` bytes together.

        May be false where `has` is true of each.
        """
        count = len(block_ids)
        there = min(count * self.shape.block_size, self.size - block * self.shape.block_size)
        return (
            not self.lost_frames
            and length == there
            and self.segment.block_ids(block, count) == b"".join(block_ids)
        )

    def differing(self, block: int, marks: bytes, count: int) -> list[int]:
        """Which of the block's `count` grains with these marks this segment can't give."""
        known = self.shape.grains_in(self.length(block))
        if not self.shape.marked or not known:
            return list(range(count))
        theirs = array("Q", self.segment.marks(block, min(known, count)))
        pairs = enumerate(zip(array("Q", marks), theirs, strict=False))
        differing = [grain for grain, (ours, other) in pairs if ours != other]
        differing += range(known, count)
        if lost := self._lost(block):
            return sorted(lost.intersection(range(count)).union(differing))
        return differing

    def _lost(self, block: int) -> set[int]:
        if not self.lost_frames:
            return set()
        lost: set[int] = set()
        at = 0
        grains = self.shape.grains_in(self.length(block))
        for frame, _, count in self.segment.runs(block, 0, grains):
            if frame in self.lost_frames:
                lost.update(range(at, at + count))
            at += count
        return lost


class PacksThere:
    """Which packs are in the store with the length that they should have; looks once at each."""

    def __init__(self, project_store: ProjectStore) -> None:
        self._project_store = project_store
        self._known: dict[str, bool] = {}

    def has(self, pack: Pack) -> bool:
        """Whether the pack is there. Raises StorageUnwritable."""
        there = self._known.get(pack.name)
        if there is None:
            key = pack_key(self._project_store.gid, pack.name)
            there = _length_of(self._project_store, key) == pack.length
            self._known[pack.name] = there
            if not there:
                # Can't make the new version wrong: what the pack held is stored again.
                logger.warning(
                    "Pack %s is missing or cut off, what it held is stored anew", pack.name
                )
        return there


class Lender:
    """A readable version that a new one can take from."""

    def __init__(
        self,
        project_store: ProjectStore,
        manifest: Manifest,
        outline: Outline,
        packs_there: PacksThere | None = None,
    ) -> None:
        self.manifest = manifest
        self.outline = outline
        self._project_store = project_store
        self._packs_there = packs_there or PacksThere(project_store)

    @property
    def is_sound(self) -> bool:
        """Whether the database passed for sound when this version was taken."""
        return passed_for_sound(self.outline.facts)

    def is_there(self) -> bool:
        """Whether all that it takes to restore the version is in the store, by its length."""
        tables = {layer for chain in self.outline.chains for layer in chain}
        return all(map(self._packs_there.has, self.outline.packs.values())) and all(
            _length_of(self._project_store, table_key(self._project_store.gid, table.name))
            == table.length
            for table in tables
        )

    def lend(self, number: int) -> Lent | None:
        """A segment; None when the version has none with this number, or it can't be read."""
        outline = self.outline
        if number >= len(outline.chains):
            return None
        try:
            segment = self._project_store.read_segment(outline, number)
        except OBJECT_UNUSABLE as error:
            # Can't make the new version wrong: what the segment tells of is stored again.
            logger.warning("A part of a version is of no use, it is stored anew: %s", error.reason)
            return None
        size = outline.segment_size(number)
        used = {frame.pack for frame in segment.frames} & outline.packs.keys()
        lost_packs = {pack for pack in used if not self._packs_there.has(outline.packs[pack])}
        lost = frozenset(
            place for place, frame in enumerate(segment.frames) if frame.pack in lost_packs
        )
        return Lent(
            segment,
            outline.chains[number],
            outline.shape,
            size,
            outline.packs,
            outline.next_pack,
            lost,
        )


def _length_of(project_store: ProjectStore, key: str) -> int | None:
    try:
        return project_store.store.size(key)
    except (ObjectMissing, ObjectDamaged, ObjectUnreadable):
        return None


def usable_lender(
    project_store: ProjectStore,
    manifest_key: str,
    engine: str,
    shape: Shape | None = None,
    packs_there: PacksThere | None = None,
) -> Lender | None:
    """The version with this manifest key, if a new one of this kind can be compared with it.

    `shape`: how the new one is divided; None when it is not going to be.
    """
    try:
        manifest = project_store.read_manifest(manifest_key)
        outline = project_store.read_outline(manifest)
    except OBJECT_UNUSABLE as error:
        # Can't make the new version wrong: what it holds is stored again.
        logger.warning("An earlier version is of no use, all is stored anew: %s", error.reason)
        return None
    alike = (
        manifest.engine == engine
        and (shape is None or outline.shape == shape)
        and project_store.knows_key(outline.identifier_key)
    )
    return Lender(project_store, manifest, outline, packs_there) if alike else None
