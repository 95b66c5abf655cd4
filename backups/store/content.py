"""A version's content out of the store, checked while it is read."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from backups.errors import ObjectDamaged
from backups.store.outline import Outline
from backups.store.packs import Piece
from backups.store.press import Press
from backups.store.project import ProjectStore
from backups.store.reader import PackReader, assembled
from backups.store.seal import BLOCK_ID_SIZE, MARK_SIZE
from backups.store.segment import Segment

# Blocks that a thread hashes at a time.
_AT_ONCE = 16

Held = bytes | memoryview
Rows = list[tuple[int, int]]
Item = TypeVar("Item")


class _Wanted(NamedTuple):
    """A block that is to be handed out: a number and bytes of a segment's content, what is held
    in its place, the digest of that if it is the block itself, and, in rows of grains, what of it
    has to be read."""

    segment: Segment
    block: int
    length: int
    held: Held
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

    def blocks(self, known: Iterable[Held] = ()) -> Iterator[Held]:
        """See the interface."""
        whole = self._fingerprints.content_hasher()
        for block, digest in self._checked(known):
            whole.add(digest)
            yield block
        if whole.digest() != self._outline.content_hash:
            raise ObjectDamaged("the version's content is not the one that was backed up")

    def part(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes of the content from `start` up to `end`, in pieces of about a block.

        Each block that they lie in is checked, but not the whole. Raises StorageError.
        """
        first = start // self.block_size
        at = first * self.block_size
        for block, _ in self._checked((), first, -(-end // self.block_size)):
            yield bytes(block[max(0, start - at) : end - at])
            at += len(block)

    def _checked(
        self, known: Iterable[Held], first_block: int = 0, end_block: int | None = None
    ) -> Iterator[tuple[Held, bytes]]:
        """The blocks from the first up to the end, and their digests. Raises StorageError."""
        reader = self._project_store.pack_reader(self._press, self._outline)
        source = self._wanted(self._hashed(known), first_block)
        count = None if end_block is None else end_block - first_block
        blocks = assembled(reader, islice(source, count))
        for batch, put_together in self._press.in_order(self._put_together, _batches(blocks)):
            for (wanted, _), (block, digest) in zip(batch, put_together, strict=True):
                if digest[:BLOCK_ID_SIZE] == wanted.segment.block_id(wanted.block):
                    yield block, digest
                else:
                    yield self._read_whole(wanted, reader)

    def _hashed(self, known: Iterable[Held]) -> Iterator[tuple[Held, bytes]]:
        digest = self._fingerprints.block_digest
        hashed = self._press.in_order(lambda batch: [*map(digest, batch)], _batches(known))
        for batch, digests in hashed:
            yield from zip(batch, digests, strict=True)

    def _wanted(
        self, known: Iterator[tuple[Held, bytes]], first_block: int
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
                held, digest = next(known, (b"", b""))
                if digest[:BLOCK_ID_SIZE] == segment.block_id(block):
                    yield _Wanted(segment, block, length, held, digest, []), []
                    continue
                rows = self._differing(segment, block, length, held)
                wanted = _Wanted(segment, block, length, held, None, rows)
                yield wanted, self._pieces(segment, block, rows)

    def _differing(self, segment: Segment, block: int, length: int, held: Held) -> Rows:
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

    def _put_together(
        self, batch: list[tuple[_Wanted, bytes | memoryview]]
    ) -> list[tuple[Held, bytes]]:
        """What should be the blocks, and their digests."""
        found: list[tuple[Held, bytes]] = []
        for wanted, read in batch:
            if wanted.digest is not None:
                found.append((wanted.held, wanted.digest))
                continue
            block = bytes(read) if self._is_read_whole(wanted) else self._filled(wanted, read)
            found.append((block, self._fingerprints.block_digest(block)))
        return found

    def _is_read_whole(self, wanted: _Wanted) -> bool:
        return wanted.rows == [(0, self._outline.shape.grains_in(wanted.length))]

    def _read_whole(self, wanted: _Wanted, reader: PackReader) -> tuple[bytes, bytes]:
        """A block that was not what it should be, because two grains have the same mark, if
        nothing is damaged. Raises ObjectDamaged."""
        if not self._is_read_whole(wanted):
            everything = [(0, self._outline.shape.grains_in(wanted.length))]
            block = b"".join(
                reader.frame(frame)[offset : offset + length]
                for frame, offset, length in self._pieces(wanted.segment, wanted.block, everything)
            )
            digest = self._fingerprints.block_digest(block)
            if digest[:BLOCK_ID_SIZE] == wanted.segment.block_id(wanted.block):
                return block, digest
        raise ObjectDamaged("a block in the backup storage is not the one that was backed up")

    def _filled(self, wanted: _Wanted, read: bytes | memoryview) -> bytes:
        """What is held, with what was read in its place."""
        grain = self._outline.shape.grain
        block = bytearray(wanted.length)
        held = wanted.held[: wanted.length]
        block[: len(held)] = held
        at = 0
        for start, end in wanted.rows:
            part = read[at : at + (min(end * grain, wanted.length) - start * grain)]
            block[start * grain : start * grain + len(part)] = part
            at += len(part)
        return bytes(block)


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    source = iter(items)
    while batch := list(islice(source, _AT_ONCE)):
        yield batch
