"""Where each byte of a content lies."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple


class Piece(NamedTuple):
    """Some bytes of a frame."""

    frame: int
    offset: int
    length: int


class Extents:
    """Runs of bytes, in the content's order and without gaps: 32 bytes of memory a run."""

    def __init__(self) -> None:
        self.positions = array("Q")
        self.lengths = array("Q")
        self.frames = array("Q")
        self.offsets = array("Q")
        self.end = 0

    def __len__(self) -> int:
        return len(self.positions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Extents) and self.columns() == other.columns()

    __hash__ = None  # type: ignore[assignment]

    def columns(self) -> tuple["array[int]", ...]:
        """Content positions, lengths, frames and offsets in the frames; all in bytes but frames."""
        return self.positions, self.lengths, self.frames, self.offsets

    def append(self, piece: Piece) -> None:
        """The content's next bytes; joined with the last run where they follow on it."""
        if (
            self.lengths
            and self.frames[-1] == piece.frame
            and self.offsets[-1] + self.lengths[-1] == piece.offset
        ):
            self.lengths[-1] += piece.length
        else:
            self.positions.append(self.end)
            self.lengths.append(piece.length)
            self.frames.append(piece.frame)
            self.offsets.append(piece.offset)
        self.end += piece.length

    def pieces(self, position: int, length: int) -> Iterator[Piece]:
        """What makes up `length` bytes of the content from `position` on."""
        index = bisect_right(self.positions, position) - 1
        while length:
            inside = position - self.positions[index]
            taken = min(length, self.lengths[index] - inside)
            yield Piece(self.frames[index], self.offsets[index] + inside, taken)
            position += taken
            length -= taken
            index += 1
