"""A version's content out of the store, checked while it is read."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from backups.errors import ObjectDamaged
from backups.store.outline import Outline
from backups.store.packs import Piece
from backups.store.press import Press
from backups.store.project import ProjectStore
from backups.store.reader import PackReader, assembled
from backups.store.seal import BLOCK_ID_SIZE, MARK_SIZE
from backups.store.segment import Segment

Rows = list[tuple[int, int]]


class _Wanted(NamedTuple):
    """A block that is to be handed out: a number and bytes of a segment's content, what is held
    in its place, the digest of that if it is the block itself, and, in rows of grains, what of it
    has to be read."""

    segment: Segment
    block: int
    length: int
    held: bytes
    digest: bytes | None
    rows: Rows


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
        self.block_size = outline.shape.block_size

    @property
    def facts(self) -> Mapping[str, Any]:
        """See the interface."""
        return self._outline.facts

    def blocks(self, known: Iterable[bytes] = ()) -> Iterator[bytes]:
        """See the interface."""
        reader = self._project_store.pack_reader(self._press, self._outline)
        whole = self._fingerprints.content_hasher()
        for wanted, read in assembled(reader, self._wanted(iter(known))):
            block, digest = self._whole_block(wanted, read, reader)
            whole.add(digest)
            yield block
        if whole.digest() != self._outline.content_hash:
            raise ObjectDamaged("the version's content is not the one that was backed up")

    def part(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes of the content from `start` up to `end`, in pieces of about a block.

        Each block that they lie in is checked, but not the whole. Raises StorageError.
        """
        reader = self._project_store.pack_reader(self._press, self._outline)
        first = start // self.block_size
        at = first * self.block_size
        for wanted, read in assembled(reader, self._wanted(iter(()), first)):
            if at >= end:
                return
            block, _ = self._whole_block(wanted, read, reader)
            yield block[max(0, start - at) : end - at]
            at += len(block)

    def _wanted(
        self, known: Iterator[bytes], first_block: int = 0
    ) -> Iterator[tuple[_Wanted, list[Piece]]]:
        """The blocks from the given one on, and where lies what has to be read of each."""
        outline, shape = self._outline, self._outline.shape
        first_segment, first_inside = divmod(first_block, shape.segment_blocks)
        for number in range(first_segment, len(outline.chains)):
            segment = self._project_store.read_segment(outline, number)
            size = outline.segment_size(number)
            begin = first_inside * shape.block_size if number == first_segment else 0
            for start in range(begin, size, shape.block_size):
                block = start // shape.block_size
                length = min(shape.block_size, size - start)
                held = next(known, b"")
                digest = self._fingerprints.block_digest(held) if held else b""
                if digest[:BLOCK_ID_SIZE] == segment.block_id(block):
                    yield _Wanted(segment, block, length, held, digest, []), []
                    continue
                rows = self._differing(segment, block, length, held)
                wanted = _Wanted(segment, block, length, held, None, rows)
                yield wanted, self._pieces(segment, block, rows)

    def _differing(self, segment: Segment, block: int, length: int, held: bytes) -> Rows:
        """The grains of the block whose marks are not those of what is held."""
        shape = self._outline.shape
        count = shape.grains_in(length)
        if not held or not shape.marked:
            return [(0, count)]
        theirs = segment.marks(block, count)
        ours = self._fingerprints.marks(held[:length], shape.grain)
        rows: Rows = []
        for grain in range(count):
            place = slice(grain * MARK_SIZE, (grain + 1) * MARK_SIZE)
            if theirs[place] == ours[place]:
                continue
            if rows and rows[-1][1] == grain:
                rows[-1] = (rows[-1][0], grain + 1)
            else:
                rows.append((grain, grain + 1))
        return rows

    def _pieces(self, segment: Segment, block: int, rows: Rows) -> list[Piece]:
        grain = self._outline.shape.grain
        return [
            Piece(segment.frames[frame], slot * grain, count * grain)
            for start, end in rows
            for frame, slot, count in segment.runs(block, start, end)
        ]

    def _whole_block(
        self, wanted: _Wanted, read: bytes | memoryview, reader: PackReader
    ) -> tuple[bytes, bytes]:
        """The block and its digest. Raises ObjectDamaged."""
        if wanted.digest is not None:
            return wanted.held, wanted.digest
        grains = self._outline.shape.grains_in(wanted.length)
        everything = [(0, grains)]
        block_id = wanted.segment.block_id(wanted.block)
        block = bytes(read) if wanted.rows == everything else self._filled(wanted, read)
        digest = self._fingerprints.block_digest(block)
        if digest[:BLOCK_ID_SIZE] != block_id and wanted.rows != everything:
            # Two grains with the same mark, if nothing is damaged.
            pieces = self._pieces(wanted.segment, wanted.block, everything)
            block = b"".join(
                reader.frame(frame)[offset : offset + length] for frame, offset, length in pieces
            )
            digest = self._fingerprints.block_digest(block)
        if digest[:BLOCK_ID_SIZE] != block_id:
            raise ObjectDamaged("a block in the backup storage is not the one that was backed up")
        return block, digest

    def _filled(self, wanted: _Wanted, read: bytes | memoryview) -> bytes:
        """What is held, with what was read in its place."""
        grain = self._outline.shape.grain
        block = bytearray(wanted.held[: wanted.length].ljust(wanted.length, b"\0"))
        at = 0
        for start, end in wanted.rows:
            part = read[at : at + (min(end * grain, wanted.length) - start * grain)]
            block[start * grain : start * grain + len(part)] = part
            at += len(part)
        return bytes(block)
