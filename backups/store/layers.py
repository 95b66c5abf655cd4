"""What one version changed in a segment.

A segment's layers, the oldest first, tell together where each of its grains lies and by which
hashes it is known; what a later layer tells stands above what earlier ones told. The first has
all of the segment's blocks, but not always all grains of them: those that later layers tell of in
every version may be missing. The object (see `tables`) is a record (see `records`) of format
"savepoint-layer", sealed with purpose "layer":

    blocks   the places in the segment, ascending, of the blocks that differ
    ids      their 16-byte hashes, joined
    grains   for each of them a bitmap, of as many bytes as the outline's shape asks for: which of
             its grains differ; bit k of the little-endian number is the grain k
    marks    the 8-byte marks of all these grains, joined; empty where a block is one grain
    frames   a map of the columns pack (its number in the outline), offset, length, raw_length
    runs     a map of the columns frame (its place in `frames`), slot, count: where the same
             grains lie, in the same order, so many in a row; a slot is an offset in what the
             frame holds, counted in grains

`blocks` and all in `frames` and `runs` are columns (see `records`).
"""

from dataclasses import dataclass

from backups.errors import ManifestUnreadable
from backups.store.packs import Frame
from backups.store.records import column, differences, opened_record, rows, sealed_record
from backups.store.seal import BLOCK_ID_SIZE, MARK_SIZE, Seal
from backups.store.shape import Shape

FORMAT = "savepoint-layer"
_PURPOSE = "layer"
_FRAME_COLUMNS = ("pack", "offset", "length", "raw_length")
_RUN_COLUMNS = ("frame", "slot", "count")

Run = tuple[int, int, int]


@dataclass(frozen=True)
class Layer:
    """See the module for what the fields mean."""

    blocks: list[int]
    ids: bytes
    grains: bytes
    marks: bytes
    frames: list[Frame]
    runs: list[Run]

    @property
    def grain_count(self) -> int:
        """How many grains differ."""
        return sum(count for _, _, count in self.runs)


def encoded(layer: Layer, seal: Seal) -> bytes:
    """The layer as an object's bytes."""
    fields = {
        "blocks": differences(layer.blocks),
        "ids": layer.ids,
        "grains": layer.grains,
        "marks": layer.marks,
        "frames": {
            name: differences(frame[place] for frame in layer.frames)
            for place, name in enumerate(_FRAME_COLUMNS)
        },
        "runs": {
            name: differences(run[place] for run in layer.runs)
            for place, name in enumerate(_RUN_COLUMNS)
        },
    }
    return sealed_record(FORMAT, fields, seal, _PURPOSE)


def decoded(sealed: bytes, seal: Seal, shape: Shape) -> Layer:
    """The layer in an object's bytes. Raises KeyUnknown, ObjectDamaged, ManifestUnreadable."""
    fields = opened_record(FORMAT, sealed, seal, _PURPOSE)
    layer = Layer(
        blocks=column(fields, "blocks"),
        ids=fields.data("ids", step=BLOCK_ID_SIZE),
        grains=fields.data("grains", step=shape.bitmap_size),
        marks=fields.data("marks", step=MARK_SIZE),
        frames=[Frame(*row) for row in rows(fields.inner("frames"), _FRAME_COLUMNS)],
        runs=[(row[0], row[1], row[2]) for row in rows(fields.inner("runs"), _RUN_COLUMNS)],
    )
    _check_consistent(layer, shape)
    return layer


def _check_consistent(layer: Layer, shape: Shape) -> None:
    """Whatever follows may index without looking."""
    blocks, bits = len(layer.blocks), int.from_bytes(layer.grains, "little").bit_count()
    strays = (1 << 8 * shape.bitmap_size) - (1 << shape.grains)
    step = shape.bitmap_size
    if (
        len(layer.ids) != blocks * BLOCK_ID_SIZE
        or len(layer.grains) != blocks * step
        or len(layer.marks) != bits * MARK_SIZE * shape.marked
        or layer.grain_count != bits
        or any(after <= before for before, after in zip([-1, *layer.blocks], layer.blocks))  # noqa: B905
        or (blocks and layer.blocks[-1] >= shape.segment_blocks)
        or (
            strays
            and any(
                int.from_bytes(layer.grains[at : at + step], "little") & strays
                for at in range(0, len(layer.grains), step)
            )
        )
    ):
        raise ManifestUnreadable("a layer of the version is broken")
    for frame, slot, count in layer.runs:
        if frame >= len(layer.frames) or not count:
            raise ManifestUnreadable("a layer names a frame that it does not list")
        # a grain that is cut short can only be the last
        if (slot + count - 1) * shape.grain >= layer.frames[frame].raw_length:
            raise ManifestUnreadable("a layer names bytes beyond a frame")
