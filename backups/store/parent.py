"""What an earlier version lends to a new one."""

import logging

from backups.errors import (
    KeyUnknown,
    ManifestUnreadable,
    ObjectDamaged,
    ObjectMissing,
)
from backups.store.extents import Piece
from backups.store.manifest import Manifest
from backups.store.packs import pack_key
from backups.store.project import ProjectStore

logger = logging.getLogger(__name__)


class Parent:
    """A readable version that a new one can be compared with."""

    def __init__(self, project_store: ProjectStore, manifest: Manifest) -> None:
        """Looks at the size of each pack once."""
        self.manifest = manifest
        self._pack_is_there = [
            _is_there(project_store, pack.name, pack.length) for pack in manifest.packs
        ]

    def pieces(self, index: int, block_id: bytes, length: int) -> list[Piece] | None:
        """Where the parent has this block at the same place; None when it has another there,
        or when what it has can't be trusted."""
        manifest = self.manifest
        if manifest.block_id(index) != block_id or manifest.block_length(index) != length:
            return None
        pieces = manifest.block_pieces(index)
        if all(self._pack_is_there[manifest.frames[piece.frame].pack] for piece in pieces):
            return pieces
        return None


def _is_there(project_store: ProjectStore, name: str, length: int) -> bool:
    try:
        found = project_store.store.size(pack_key(project_store.gid, name))
    except (ObjectMissing, ObjectDamaged):
        found = -1
    if found != length:
        # Can't make the new version wrong: what the pack held is stored again.
        logger.warning("Pack %s is missing or cut off; its blocks are stored anew", name)
    return found == length


def usable_parent(
    project_store: ProjectStore, parent_key: str | None, engine: str
) -> Parent | None:
    """The version with this manifest key, if a new one of this engine can be compared with it."""
    if parent_key is None:
        return None
    try:
        manifest = project_store.read_manifest(parent_key)
    except (ManifestUnreadable, ObjectMissing, ObjectDamaged, KeyUnknown) as error:
        # Can't make the new version wrong: it is stored as a whole.
        logger.warning("The parent version is of no use, all is stored anew: %s", error.reason)
        return None
    alike = (
        manifest.engine == engine
        and manifest.block_size == project_store.block_size
        and project_store.knows_key(manifest.identifier_key)
    )
    return Parent(project_store, manifest) if alike else None
