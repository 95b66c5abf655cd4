"""A version's content out of the store, checked while it is read."""

from collections.abc import Iterator

from backups.errors import ObjectDamaged
from backups.store.manifest import Manifest
from backups.store.packs import PackReader
from backups.store.seal import Fingerprints


class StoredContent:
    """See `backups.engines.interface.Content`."""

    def __init__(self, manifest: Manifest, fingerprints: Fingerprints, reader: PackReader) -> None:
        """`fingerprints` must be those of the manifest's identifier key."""
        self._manifest = manifest
        self._fingerprints = fingerprints
        self._reader = reader
        self.unit_size = manifest.unit_size
        self.units = manifest.units
        self.size = manifest.size

    def block(self, index: int) -> bytes:
        """A block. Raises ObjectMissing, ObjectDamaged, KeyUnknown."""
        pieces = [
            self._reader.frame(piece.frame)[piece.offset : piece.offset + piece.length]
            for piece in self._manifest.block_pieces(index)
        ]
        block = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self._fingerprints.block_id(block) != self._manifest.block_id(index):
            raise ObjectDamaged("a block in the backup storage is not the one that was backed up")
        return block

    def blocks(self) -> Iterator[bytes]:
        """See the interface."""
        whole = self._fingerprints.content_hasher()
        for index in range(self._manifest.block_count):
            block = self.block(index)
            whole.update(block)
            yield block
        if whole.digest() != self._manifest.content_hash:
            raise ObjectDamaged("the version's content is not the one that was backed up")
