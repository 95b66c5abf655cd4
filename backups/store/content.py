"""A version's content out of the store, checked while it is read."""

from collections.abc import Iterator

from backups.errors import ObjectDamaged
from backups.store.outline import Outline
from backups.store.packs import Piece
from backups.store.press import Press
from backups.store.project import ProjectStore
from backups.store.reader import assembled


class StoredContent:
    """See `backups.engines.interface.Content`."""

    def __init__(self, project_store: ProjectStore, press: Press, outline: Outline) -> None:
        """Raises KeyUnknown."""
        self._project_store = project_store
        self._press = press
        self._outline = outline
        self._fingerprints = project_store.fingerprints(outline.identifier_key)
        self.unit_size = outline.unit_size
        self.units = outline.units
        self.size = outline.size

    def blocks(self) -> Iterator[bytes]:
        """See the interface."""
        outline, fingerprints = self._outline, self._fingerprints
        reader = self._project_store.pack_reader(self._press, outline)
        whole = fingerprints.content_hasher()
        for block_id, view in assembled(reader, self._pieces()):
            block = bytes(view)
            if fingerprints.block_id(block) != block_id:
                raise ObjectDamaged(
                    "a block in the backup storage is not the one that was backed up"
                )
            whole.update(block)
            yield block
        if whole.digest() != outline.content_hash:
            raise ObjectDamaged("the version's content is not the one that was backed up")

    def _pieces(self) -> Iterator[tuple[bytes, list[Piece]]]:
        outline = self._outline
        shape = outline.shape
        for number in range(len(outline.chains)):
            segment = self._project_store.read_segment(outline, number)
            size = outline.segment_size(number)
            for block, start in enumerate(range(0, size, shape.block_size)):
                length = min(shape.block_size, size - start)
                pieces = [
                    Piece(segment.frames[frame], slot * shape.grain, count * shape.grain)
                    for frame, slot, count in segment.runs(block, 0, shape.grains_in(length))
                ]
                yield segment.block_id(block), pieces
