"""What an earlier version lends to a new one."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from backups.errors import (
    KeyUnknown,
    ManifestUnreadable,
    ObjectDamaged,
    ObjectMissing,
)
from backups.facts import passed_for_sound
from backups.store.manifest import Manifest
from backups.store.outline import Chain, Outline
from backups.store.packs import pack_key
from backups.store.project import ProjectStore
from backups.store.seal import MARK_SIZE
from backups.store.segment import Segment
from backups.store.shape import Shape
from backups.store.tables import table_key

logger = logging.getLogger(__name__)

_OF_NO_USE = (ManifestUnreadable, ObjectMissing, ObjectDamaged, KeyUnknown)


@dataclass(frozen=True)
class Lent:
    """A segment of the parent. Grains in `lost_frames` are not to be had."""

    segment: Segment
    chain: Chain
    shape: Shape
    size: int
    lost_frames: frozenset[int]

    def length(self, block: int) -> int:
        """Bytes in the block; 0 after the last."""
        return max(0, min(self.shape.block_size, self.size - block * self.shape.block_size))

    def has(self, block: int, block_id: bytes, length: int) -> bool:
        """Whether the parent has this very block here, and all of it is to be had."""
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
        """Which of the block's `count` grains with these marks have to be stored."""
        known = self.shape.grains_in(self.length(block))
        if not self.shape.marked or not known:
            return list(range(count))
        theirs, lost = self.segment.marks(block, known), self._lost(block)
        return [
            grain
            for grain in range(count)
            if grain >= known
            or marks[grain * MARK_SIZE : (grain + 1) * MARK_SIZE]
            != theirs[grain * MARK_SIZE : (grain + 1) * MARK_SIZE]
            or grain in lost
        ]

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


class Parent:
    """A readable version that a new one can be compared with."""

    def __init__(self, project_store: ProjectStore, manifest: Manifest, outline: Outline) -> None:
        """Looks at the size of each pack once."""
        self.manifest = manifest
        self.outline = outline
        self._project_store = project_store
        self._lost_packs = {
            number
            for number, pack in outline.packs.items()
            if not _is_there(project_store, pack.name, pack.length)
        }

    @property
    def is_sound(self) -> bool:
        """Whether the database passed for sound when this version was taken."""
        return passed_for_sound(self.outline.facts)

    def is_there(self) -> bool:
        """Whether all that it takes to restore the version is in the store, by its length."""
        tables = {layer for chain in self.outline.chains for layer in chain}
        return not self._lost_packs and all(
            _length_of(self._project_store, table_key(self._project_store.gid, table.name))
            == table.length
            for table in tables
        )

    def lend(self, number: int) -> Lent | None:
        """A segment; None when the parent has none with this number, or it can't be read."""
        outline = self.outline
        if number >= len(outline.chains):
            return None
        try:
            segment = self._project_store.read_segment(outline, number)
        except _OF_NO_USE as error:
            # Can't make the new version wrong: what the segment tells of is stored again.
            logger.warning("A part of the parent is of no use, it is stored anew: %s", error.reason)
            return None
        lost = frozenset(
            place for place, frame in enumerate(segment.frames) if frame.pack in self._lost_packs
        )
        size = outline.segment_size(number)
        return Lent(segment, outline.chains[number], outline.shape, size, lost)


def _is_there(project_store: ProjectStore, name: str, length: int) -> bool:
    if _length_of(project_store, pack_key(project_store.gid, name)) == length:
        return True
    # Can't make the new version wrong: what the pack held is stored again.
    logger.warning("Pack %s is missing or cut off; what it held is stored anew", name)
    return False


def _length_of(project_store: ProjectStore, key: str) -> int:
    """The object's bytes; -1 if it is not to be had."""
    try:
        return project_store.store.size(key)
    except (ObjectMissing, ObjectDamaged):
        return -1


def usable_parent(
    project_store: ProjectStore, parent_key: str | None, engine: str, shape: Shape | None = None
) -> Parent | None:
    """The version with this manifest key, if a new one of this kind can be compared with it.

    `shape`: how the new one is divided; None when it is not going to be.
    """
    if parent_key is None:
        return None
    try:
        manifest = project_store.read_manifest(parent_key)
        outline = project_store.read_outline(manifest)
    except _OF_NO_USE as error:
        # Can't make the new version wrong: it is stored as a whole.
        logger.warning("The parent version is of no use, all is stored anew: %s", error.reason)
        return None
    alike = (
        manifest.engine == engine
        and (shape is None or outline.shape == shape)
        and project_store.knows_key(outline.identifier_key)
    )
    return Parent(project_store, manifest, outline) if alike else None
