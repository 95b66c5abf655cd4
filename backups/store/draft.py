"""A version in the making."""

from collections.abc import Mapping
from typing import Any, Protocol

from backups.store.extents import Extents, Piece
from backups.store.manifest import Manifest
from backups.store.packs import Frame, Pack
from backups.store.parent import Parent
from backups.store.project import ProjectStore


class Source(Protocol):
    """What a manifest tells of where its content came from."""

    @property
    def engine(self) -> str: ...
    @property
    def tools(self) -> Mapping[str, str]: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...
    @property
    def unit(self) -> str: ...
    @property
    def unit_size(self) -> int: ...
    @property
    def units(self) -> int: ...
    @property
    def size(self) -> int: ...


class Draft:
    """Takes a snapshot's blocks in, in order, and ends as a manifest.

    Blocks that the parent has go over as references, all others into new packs.
    """

    def __init__(self, project_store: ProjectStore, parent: Parent | None) -> None:
        self._parent = parent
        self._project = project_store.gid
        self._block_size = project_store.block_size
        self._fingerprints = project_store.fingerprints(
            parent.manifest.identifier_key if parent else None
        )
        self._whole = self._fingerprints.content_hasher()
        self._ids = bytearray()
        self._count = 0
        self._writer = project_store.pack_writer()
        # Frames in here: 2n for the n-th of the writer, 2n + 1 for the n-th taken over. How many
        # there are of each is known at the end only.
        self._extents = Extents()
        self._taken_over: dict[int, int] = {}  # a frame's place in the parent -> n

    def add(self, block: bytes) -> None:
        """Take the next block in. Raises StorageError."""
        block_id = self._fingerprints.block_id(block)
        self._whole.update(block)
        pieces = self._parent.pieces(self._count, block_id, len(block)) if self._parent else None
        if pieces is None:
            frame, offset = self._writer.add(block)
            self._extents.append(Piece(2 * frame, offset, len(block)))
        else:
            for piece in pieces:
                place = self._taken_over.setdefault(piece.frame, len(self._taken_over))
                self._extents.append(piece._replace(frame=2 * place + 1))
        self._ids += block_id
        self._count += 1

    @property
    def new_packs(self) -> list[Pack]:
        """The packs put so far."""
        return self._writer.packs

    def abort(self) -> None:
        """Remove what was put. Raises StorageError."""
        self._writer.abort()

    def manifest(
        self, source: Source, *, version: int, name: str, created_by: str, created_on: float
    ) -> Manifest:
        """Put what is left, and describe the whole. Raises StorageError."""
        self._writer.finish()
        packs: dict[Pack, int] = {}
        frames = [
            frame._replace(pack=packs.setdefault(pack, len(packs)))
            for pack, frame in self._needed_frames()
        ]
        extents = Extents()
        for length, frame, offset in zip(
            self._extents.lengths, self._extents.frames, self._extents.offsets, strict=True
        ):
            place = frame // 2 if frame % 2 else len(self._taken_over) + frame // 2
            extents.append(Piece(place, offset, length))
        return Manifest(
            project=self._project,
            version=version,
            parent=self._parent.manifest.version if self._parent else None,
            name=name,
            created_by=created_by,
            created_on=created_on,
            engine=source.engine,
            tools=source.tools,
            facts=source.facts,
            unit=source.unit,
            unit_size=source.unit_size,
            units=source.units,
            size=source.size,
            identifier_key=self._fingerprints.key_id,
            block_size=self._block_size,
            blocks=bytes(self._ids),
            content_hash=self._whole.digest(),
            packs=tuple(packs),
            frames=tuple(frames),
            extents=extents,
        )

    def _needed_frames(self) -> list[tuple[Pack, Frame]]:
        needed = []
        if self._parent:
            lender = self._parent.manifest
            for place in self._taken_over:  # in the order of n
                frame = lender.frames[place]
                needed.append((lender.packs[frame.pack], frame))
        needed += [(self._writer.packs[frame.pack], frame) for frame in self._writer.frames]
        return needed
