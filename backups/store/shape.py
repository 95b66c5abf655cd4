"""How a content is divided: into segments of blocks of grains."""

from typing import NamedTuple


class Shape(NamedTuple):
    """`block_size` and `grain` in bytes, the first a multiple of the second."""

    block_size: int
    grain: int
    segment_blocks: int

    @classmethod
    def of(cls, unit_size: int, *, block_size: int, segment_blocks: int) -> "Shape":
        """The division of a content with such units into blocks of about this size.

        Where units are single bytes, nothing smaller than a block is compared.
        """
        grain = unit_size if unit_size > 1 else block_size
        return cls(max(1, block_size // grain) * grain, grain, segment_blocks)

    @property
    def grains(self) -> int:
        """How many grains a whole block has."""
        return self.block_size // self.grain

    @property
    def marked(self) -> bool:
        """Whether grains have marks; the block's own hash is enough for a single one."""
        return self.grains > 1

    @property
    def bitmap_size(self) -> int:
        """Bytes with a bit for each grain of a block."""
        return -(-self.grains // 8)

    @property
    def segment_size(self) -> int:
        """Bytes in a whole segment."""
        return self.segment_blocks * self.block_size

    def segments(self, size: int) -> int:
        """How many segments a content of `size` bytes has."""
        return -(-size // self.segment_size)

    def grains_in(self, length: int) -> int:
        """How many grains, the last perhaps cut short, `length` bytes have."""
        return -(-length // self.grain)
