"""What a content is made of.

The object (see `tables`) is a record (see `records`) of format "savepoint-outline", sealed with
purpose "outline":

    unit, unit_size, units, size what units are; bytes in one; how many; bytes of the content
    facts                        what the database said of itself
    identifier_key               id of the master key that the keyed hashes derive from
    content_hash                 32 bytes, over the whole content (see `seal`)
    block_size, grain            bytes in a block; bytes in what is stored of a changed block: a
                                 unit of the content, or the block where units are single bytes
    segment_blocks               how many blocks a segment has; the last segment may have fewer
    chain_lengths                for each segment, how many layers it has
    layer_names, layer_lengths   32-byte names, joined, and bytes of the layers (see `layers`) of
                                 all segments, one after the other, the oldest layer first
    pack_numbers, pack_names, pack_lengths
                                 the packs that hold the content: the number by which layers name
                                 each, ascending; its 32-byte name; its bytes
    next_pack                    above all numbers that the outline or any of its layers uses; where
                                 the new packs of a version begin that is led by this one

`layer_lengths`, `pack_numbers` and `pack_lengths` are columns (see `records`). Outlines that share
a layer call the packs by the same numbers that they need it for; a number may mean different packs
in outlines that don't, and a pack may have two numbers in one (see `pack_numbers`). A pack that is
written in place of others of several versions gets a number above `next_pack` of all that share
anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from backups.errors import ManifestUnreadable
from backups.store.fields import Fields
from backups.store.packs import Pack
from backups.store.records import column, differences, opened_record, sealed_record
from backups.store.seal import CONTENT_HASH_SIZE, KEY_ID_SIZE, Seal
from backups.store.shape import Shape
from backups.store.tables import NAME_SIZE, Table

FORMAT = "savepoint-outline"
_PURPOSE = "outline"

Chain = tuple[Table, ...]


@dataclass(frozen=True)
class Outline:
    """See the module for what the fields mean."""

    unit: str
    unit_size: int
    units: int
    size: int
    facts: Mapping[str, Any]
    identifier_key: bytes
    content_hash: bytes
    shape: Shape
    chains: tuple[Chain, ...] = field(repr=False)
    packs: Mapping[int, Pack] = field(repr=False)
    next_pack: int

    def segment_size(self, segment: int) -> int:
        """Bytes of the content in a segment; 0 after the last."""
        return max(0, min(self.shape.segment_size, self.size - segment * self.shape.segment_size))


def encoded(outline: Outline, seal: Seal) -> bytes:
    """The outline as an object's bytes."""
    layers = [layer for chain in outline.chains for layer in chain]
    packs = sorted(outline.packs.items())
    fields = {
        "unit": outline.unit,
        "unit_size": outline.unit_size,
        "units": outline.units,
        "size": outline.size,
        "facts": dict(outline.facts),
        "identifier_key": outline.identifier_key,
        "content_hash": outline.content_hash,
        "block_size": outline.shape.block_size,
        "grain": outline.shape.grain,
        "segment_blocks": outline.shape.segment_blocks,
        "chain_lengths": [len(chain) for chain in outline.chains],
        "layer_names": b"".join(bytes.fromhex(layer.name) for layer in layers),
        "layer_lengths": differences(layer.length for layer in layers),
        "pack_numbers": differences(number for number, _ in packs),
        "pack_names": b"".join(bytes.fromhex(pack.name) for _, pack in packs),
        "pack_lengths": differences(pack.length for _, pack in packs),
        "next_pack": outline.next_pack,
    }
    return sealed_record(FORMAT, fields, seal, _PURPOSE)


def decoded(sealed: bytes, seal: Seal) -> Outline:
    """The outline in an object's bytes. Raises KeyUnknown, ObjectDamaged, ManifestUnreadable."""
    fields = opened_record(FORMAT, sealed, seal, _PURPOSE)
    block_size, grain = fields.number("block_size", least=1), fields.number("grain", least=1)
    if block_size % grain:
        raise ManifestUnreadable("the version's blocks are not made of whole units")
    outline = Outline(
        unit=fields.text("unit"),
        unit_size=fields.number("unit_size", least=1),
        units=fields.number("units"),
        size=fields.number("size"),
        facts=fields.mapping("facts"),
        identifier_key=fields.data("identifier_key", length=KEY_ID_SIZE),
        content_hash=fields.data("content_hash", length=CONTENT_HASH_SIZE),
        shape=Shape(block_size, grain, fields.number("segment_blocks", least=1)),
        chains=_chains(fields),
        packs=_packs(fields),
        next_pack=fields.number("next_pack"),
    )
    if len(outline.chains) != outline.shape.segments(outline.size):
        raise ManifestUnreadable("the version has too few or too many segments")
    if any(number >= outline.next_pack for number in outline.packs):
        raise ManifestUnreadable("the version's packs are numbered wrongly")
    return outline


def _chains(fields: Fields) -> tuple[Chain, ...]:
    names = _names(fields, "layer_names")
    lengths = column(fields, "layer_lengths")
    counts = fields.numbers("chain_lengths")
    if len(names) != len(lengths) or sum(counts) != len(names) or min(counts, default=1) < 1:
        raise ManifestUnreadable("the version's list of layers is broken")
    layers = map(Table, names, lengths)
    return tuple(tuple(islice(layers, count)) for count in counts)


def _packs(fields: Fields) -> dict[int, Pack]:
    names = _names(fields, "pack_names")
    numbers, lengths = column(fields, "pack_numbers"), column(fields, "pack_lengths")
    if not len(names) == len(numbers) == len(lengths) or sorted(set(numbers)) != numbers:
        raise ManifestUnreadable("the version's list of packs is broken")
    return dict(zip(numbers, map(Pack, names, lengths), strict=True))


def _names(fields: Fields, name: str) -> list[str]:
    joined = fields.data(name, step=NAME_SIZE)
    return [joined[at : at + NAME_SIZE].hex() for at in range(0, len(joined), NAME_SIZE)]
