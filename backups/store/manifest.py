"""A version's manifest: what it is, and all that it takes to find each of its bytes.

The object's key is `<gid>/manifests/<version, 8 digits>-<hash>`, hash being the first 32 hex
digits of the BLAKE3 hash of the object's bytes. The object is: canonical CBOR (RFC 8949), as one
zstd frame, sealed (see `seal`) with purpose "manifest:<version>". The CBOR is one map:

    format, format_version       "savepoint-manifest", 1
    project, version, parent     gid; the version's number; the number of the version that it was
                                 compared with, or null. The parent isn't needed to restore.
    name, created_by, created_on texts; seconds since the epoch
    engine, tools, facts         kind of database; versions of what read it; what it said of itself
    unit, unit_size, units, size what units are; bytes in one; how many; bytes of the content
    identifier_key               id of the master key that the two kinds of hashes derive from
    block_size, blocks           bytes; the 16-byte hashes of all blocks in order, the last block
                                 may be shorter
    content_hash                 32 bytes, over the whole content
    pack_names, pack_lengths     32-byte hashes, joined; bytes of each
    frames                       pack (its place in the list), offset, length, raw_length
    extents                      position (in the content), length, frame (its place), offset (in
                                 what the frame holds)

`frames` and `extents` are maps of columns; these and `pack_lengths` are lists of numbers, each
the difference to the one before. Extents follow one another without gaps from 0 to `size`; they
are bytes and know nothing of blocks. Only what this version needs is listed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

import cbor2
import zstandard

from backups.errors import KeyUnknown, ManifestUnreadable, ObjectDamaged
from backups.store.extents import Extents, Piece
from backups.store.fields import Fields
from backups.store.packs import Frame, Pack
from backups.store.seal import BLOCK_ID_SIZE, CONTENT_HASH_SIZE, KEY_ID_SIZE, Seal

FORMAT = "savepoint-manifest"
FORMAT_VERSION = 1

_PACK_NAME_SIZE = 32
_ZSTD_LEVEL = 3
_LARGEST = 1 << 31
_FRAME_COLUMNS = ("pack", "offset", "length", "raw_length")
_EXTENT_COLUMNS = ("position", "length", "frame", "offset")


@dataclass(frozen=True)
class Manifest:
    """See the module for what the fields mean."""

    project: str
    version: int
    parent: int | None
    name: str
    created_by: str
    created_on: float
    engine: str
    tools: Mapping[str, str]
    facts: Mapping[str, Any]
    unit: str
    unit_size: int
    units: int
    size: int
    identifier_key: bytes
    block_size: int
    blocks: bytes = field(repr=False)
    content_hash: bytes
    packs: tuple[Pack, ...] = field(repr=False)
    frames: tuple[Frame, ...] = field(repr=False)
    extents: Extents = field(repr=False)

    @property
    def block_count(self) -> int:
        """How many blocks the content has."""
        return -(-self.size // self.block_size)

    def block_id(self, index: int) -> bytes:
        """The hash of a block; b"" after the last."""
        return self.blocks[index * BLOCK_ID_SIZE : (index + 1) * BLOCK_ID_SIZE]

    def block_length(self, index: int) -> int:
        """Bytes in a block."""
        return min(self.block_size, self.size - index * self.block_size)

    def block_pieces(self, index: int) -> list[Piece]:
        """What a block is made of."""
        position = index * self.block_size
        return list(self.extents.pieces(position, self.block_length(index)))


def encoded(manifest: Manifest, seal: Seal) -> bytes:
    """The manifest as an object's bytes."""
    fields = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "project": manifest.project,
        "version": manifest.version,
        "parent": manifest.parent,
        "name": manifest.name,
        "created_by": manifest.created_by,
        "created_on": manifest.created_on,
        "engine": manifest.engine,
        "tools": dict(manifest.tools),
        "facts": dict(manifest.facts),
        "unit": manifest.unit,
        "unit_size": manifest.unit_size,
        "units": manifest.units,
        "size": manifest.size,
        "identifier_key": manifest.identifier_key,
        "block_size": manifest.block_size,
        "blocks": manifest.blocks,
        "content_hash": manifest.content_hash,
        "pack_names": b"".join(bytes.fromhex(pack.name) for pack in manifest.packs),
        "pack_lengths": _differences([pack.length for pack in manifest.packs]),
        "frames": {
            name: _differences([frame[place] for frame in manifest.frames])
            for place, name in enumerate(_FRAME_COLUMNS)
        },
        "extents": {
            name: _differences(column)
            for name, column in zip(_EXTENT_COLUMNS, manifest.extents.columns(), strict=True)
        },
    }
    plain = cbor2.dumps(fields, canonical=True)
    compressed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(plain)
    return seal.seal(compressed, _purpose(manifest.version))


def decoded(sealed: bytes, seal: Seal, *, project: str, version: int) -> Manifest:
    """The manifest in an object's bytes.

    Raises KeyUnknown, and ManifestUnreadable when anything about it is not as it must be.
    """
    try:
        fields = _opened(sealed, seal, version)
        manifest = _read(fields)
        if (manifest.project, manifest.version) != (project, version):
            raise ManifestUnreadable("the manifest is that of another version")
        _check_consistent(manifest)
    except KeyUnknown:
        raise
    except ObjectDamaged as error:
        raise ManifestUnreadable(f"the manifest of version {version}: {error.reason}") from error
    return manifest


def _opened(sealed: bytes, seal: Seal, version: int) -> Fields:
    compressed = seal.unseal(sealed, _purpose(version))
    try:
        if not 0 <= zstandard.frame_content_size(compressed) <= _LARGEST:
            raise ManifestUnreadable("the manifest is too large")
        plain = zstandard.ZstdDecompressor().decompress(compressed)
        found = cbor2.loads(plain)
        canonical = cbor2.dumps(found, canonical=True) == plain
    except (zstandard.ZstdError, cbor2.CBORError, ValueError, TypeError, RecursionError) as error:
        raise ManifestUnreadable("the manifest cannot be decoded") from error
    fields = Fields(found)
    if not canonical or fields.text("format") != FORMAT:
        raise ManifestUnreadable("the object is no manifest")
    if fields.number("format_version") != FORMAT_VERSION:
        raise ManifestUnreadable("the manifest has a format that this program does not know")
    return fields


def _read(fields: Fields) -> Manifest:
    names = fields.data("pack_names", step=_PACK_NAME_SIZE)
    lengths = _sums(fields.numbers("pack_lengths"))
    if len(names) != len(lengths) * _PACK_NAME_SIZE:
        raise ManifestUnreadable("the manifest's list of packs is broken")
    packs = tuple(
        Pack(names[place * _PACK_NAME_SIZE : (place + 1) * _PACK_NAME_SIZE].hex(), length)
        for place, length in enumerate(lengths)
    )
    extents = Extents()
    for position, length, frame, offset in _rows(fields.inner("extents"), _EXTENT_COLUMNS):
        if position != extents.end or length == 0:
            raise ManifestUnreadable("the manifest's extents have gaps")
        extents.append(Piece(frame, offset, length))
    return Manifest(
        project=fields.text("project"),
        version=fields.number("version", least=1),
        parent=fields.number_or_none("parent"),
        name=fields.text("name"),
        created_by=fields.text("created_by"),
        created_on=fields.real("created_on"),
        engine=fields.text("engine"),
        tools=fields.mapping("tools"),
        facts=fields.mapping("facts"),
        unit=fields.text("unit"),
        unit_size=fields.number("unit_size", least=1),
        units=fields.number("units"),
        size=fields.number("size"),
        identifier_key=fields.data("identifier_key", length=KEY_ID_SIZE),
        block_size=fields.number("block_size", least=1),
        blocks=fields.data("blocks", step=BLOCK_ID_SIZE),
        content_hash=fields.data("content_hash", length=CONTENT_HASH_SIZE),
        packs=packs,
        frames=tuple(Frame(*row) for row in _rows(fields.inner("frames"), _FRAME_COLUMNS)),
        extents=extents,
    )


def _check_consistent(manifest: Manifest) -> None:
    """Whatever follows may index without looking."""
    if len(manifest.blocks) != manifest.block_count * BLOCK_ID_SIZE:
        raise ManifestUnreadable("the manifest has too few or too many blocks")
    if manifest.extents.end != manifest.size:
        raise ManifestUnreadable("the manifest's extents are not the whole content")
    for frame in manifest.frames:
        if frame.pack >= len(manifest.packs):
            raise ManifestUnreadable("the manifest names a pack that it does not list")
        if frame.offset + frame.length > manifest.packs[frame.pack].length:
            raise ManifestUnreadable("the manifest names a frame beyond its pack")
    extents = manifest.extents
    for length, place, offset in zip(extents.lengths, extents.frames, extents.offsets, strict=True):
        if place >= len(manifest.frames) or offset + length > manifest.frames[place].raw_length:
            raise ManifestUnreadable("the manifest names bytes beyond a frame")


def _purpose(version: int) -> str:
    return f"manifest:{version}"


def _differences(numbers: Any) -> list[int]:
    column = [0, *numbers]
    return [after - before for before, after in pairwise(column)]


def _sums(differences: list[int]) -> list[int]:
    numbers = list(accumulate(differences))
    if any(not 0 <= number < 1 << 63 for number in numbers):
        raise ManifestUnreadable("the manifest has a number out of range")
    return numbers


def _rows(columns: Fields, names: tuple[str, ...]) -> "zip[tuple[int, ...]]":
    lists = [_sums(columns.numbers(name)) for name in names]
    if len({len(numbers) for numbers in lists}) != 1:
        raise ManifestUnreadable("the manifest's columns differ in length")
    return zip(*lists, strict=True)
