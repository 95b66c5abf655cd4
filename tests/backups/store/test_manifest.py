"""What manifests promise."""

import dataclasses
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from backups.errors import KeyUnknown, ManifestUnreadable
from backups.store import manifest as manifests
from backups.store.extents import Extents, Piece
from backups.store.manifest import Manifest
from backups.store.packs import Frame, Pack
from backups.store.seal import Keyring, Seal

SEAL = Seal(Keyring.of(bytes(32)), "g")


def extents_of(*pieces: tuple[int, int, int]) -> Extents:
    extents = Extents()
    for piece in pieces:
        extents.append(Piece(*piece))
    return extents


def example() -> Manifest:
    return Manifest(
        project="g",
        version=7,
        parent=5,
        name="Before the ünveiling",
        created_by="me",
        created_on=1763921234.25,
        engine="sqlite",
        tools={"sqlite": "3.50.4"},
        facts={"tables": {"t": 3, "u": None}},
        unit="pages",
        unit_size=10,
        units=9,
        size=90,
        identifier_key=b"12345678",
        block_size=40,
        blocks=bytes(range(48)),
        content_hash=bytes(32),
        packs=(Pack("ab" * 32, 1000), Pack("cd" * 32, 300)),
        frames=(Frame(1, 0, 100, 70), Frame(0, 200, 50, 40)),
        # the second starts in the middle of a block: extents know nothing of blocks
        extents=extents_of((0, 10, 55), (1, 5, 35)),
    )


def read(sealed: bytes, *, project: str = "g", version: int = 7) -> Manifest:
    return manifests.decoded(sealed, SEAL, project=project, version=version)


def test_a_manifest_reads_as_it_was_written() -> None:
    assert read(manifests.encoded(example(), SEAL)) == example()
    nothing = dataclasses.replace(
        example(), units=0, size=0, blocks=b"", packs=(), frames=(), extents=Extents(), parent=None
    )
    assert read(manifests.encoded(nothing, SEAL)) == nothing


def test_a_block_is_found_across_extents() -> None:
    manifest = example()
    assert manifest.block_count == 3
    assert [manifest.block_length(index) for index in range(3)] == [40, 40, 10]
    assert manifest.block_pieces(0) == [Piece(0, 10, 40)]
    assert manifest.block_pieces(1) == [Piece(0, 50, 15), Piece(1, 5, 25)]
    assert manifest.block_pieces(2) == [Piece(1, 30, 10)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(1, 20)), max_size=20))
def test_joining_extents_loses_no_byte(pieces: list[tuple[int, int, int]]) -> None:
    def places(of: Any) -> list[tuple[int, int]]:
        return [(frame, offset + step) for frame, offset, length in of for step in range(length)]

    extents = extents_of(*pieces)
    expected = places(pieces)
    assert extents.end == len(expected)
    assert len(extents) <= len(pieces)
    for position in range(0, extents.end, 3):
        for length in (1, 7, 30):
            part = expected[position : position + length]
            assert places(extents.pieces(position, len(part))) == part


def test_neighbours_are_joined() -> None:
    assert len(extents_of((0, 0, 10), (0, 10, 5), (1, 15, 5), (1, 21, 5))) == 3


def test_a_manifest_passes_for_no_other_version_or_project() -> None:
    sealed = manifests.encoded(example(), SEAL)
    with pytest.raises(ManifestUnreadable):
        read(sealed, version=8)
    with pytest.raises(ManifestUnreadable):
        read(sealed, project="h")
    with pytest.raises(KeyUnknown):
        manifests.decoded(sealed, Seal(Keyring.of(bytes(31) + b"1"), "g"), project="g", version=7)


def test_every_byte_of_a_manifest_matters() -> None:
    sealed = manifests.encoded(example(), SEAL)
    for place in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[place] ^= 1
        with pytest.raises((ManifestUnreadable, KeyUnknown)):
            read(bytes(damaged))


def sealed_fields(change: Callable[[dict[str, Any]], object]) -> bytes:
    """A well sealed manifest whose content was changed by somebody who has the key."""
    compressed = SEAL.unseal(manifests.encoded(example(), SEAL), "manifest:7")
    fields = cbor2.loads(zstandard.decompress(compressed))
    change(fields)
    plain = cbor2.dumps(fields, canonical=True)
    return SEAL.seal(zstandard.compress(plain), "manifest:7")


CHANGES: list[dict[str, Any]] = [
    {"format": "other"},
    {"format_version": 2},
    {"version": 8},
    {"version": True},
    {"project": "h"},
    {"parent": -1},
    {"parent": "5"},
    {"name": b"bytes"},
    {"created_on": "now"},
    {"tools": []},
    {"facts": {1: 2}},
    {"unit_size": 0},
    {"units": -1},
    {"size": 91},
    {"size": 1 << 63},
    {"block_size": 0},
    {"block_size": 10},
    {"blocks": bytes(47)},
    {"blocks": bytes(64)},
    {"content_hash": bytes(31)},
    {"identifier_key": bytes(9)},
    {"pack_names": bytes(32)},
    {"pack_lengths": [1000]},
    {"pack_lengths": [1000, -1001]},
    {"pack_lengths": [1000, 1.5]},
    {"pack_lengths": [100, 300]},
    {"frames": {"pack": [2, -2], "offset": [0, 0], "length": [1, 0], "raw_length": [70, 0]}},
    {"frames": {"pack": [0], "offset": [0, 0], "length": [1, 0], "raw_length": [70, 0]}},
    {"frames": {"pack": [0, 0], "offset": [0, 0], "length": [1, 0], "raw_length": [64, 0]}},
    {"frames": {}},
    {"frames": None},
    {"extents": {"position": [0, 56], "length": [55, -20], "frame": [0, 1], "offset": [10, -5]}},
    {"extents": {"position": [0, 55], "length": [55, -21], "frame": [0, 1], "offset": [10, -5]}},
    {"extents": {"position": [0, 55], "length": [55, -20], "frame": [0, 2], "offset": [10, -5]}},
    {"extents": {"position": [0, 55], "length": [55, -20], "frame": [0, 1], "offset": [10, -4]}},  # one byte too far
    {"extents": {"position": [0, 0, 55], "length": [0, 55, -20], "frame": [0, 0, 1], "offset": [10, 0, -5]}},
]  # fmt: skip


def test_the_example_is_sound_before_it_is_changed() -> None:
    assert read(sealed_fields(lambda fields: None)) == example()


@pytest.mark.parametrize("change", CHANGES, ids=repr)
def test_a_manifest_that_is_not_consistent_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ManifestUnreadable):
        read(sealed_fields(lambda fields: fields.update(change)))


@pytest.mark.parametrize("name", sorted(cbor2.loads(zstandard.decompress(
    SEAL.unseal(manifests.encoded(example(), SEAL), "manifest:7")))))  # fmt: skip
def test_every_field_must_be_there(name: str) -> None:
    with pytest.raises(ManifestUnreadable):
        read(sealed_fields(lambda fields: fields.pop(name)))


@pytest.mark.parametrize(
    "plain", [b"", b"\xa0", b"\x80", b"\xff", b"\x9f" * 2000, b"\xa1\x00\x00x"]
)
def test_what_is_no_map_is_refused(plain: bytes) -> None:
    sealed = SEAL.seal(zstandard.compress(plain), "manifest:7")
    with pytest.raises(ManifestUnreadable):
        read(sealed)


def test_text_that_is_not_canonical_is_refused() -> None:
    compressed = SEAL.unseal(manifests.encoded(example(), SEAL), "manifest:7")
    fields = cbor2.loads(zstandard.decompress(compressed))
    turned = cbor2.dumps(dict(reversed(fields.items())))
    assert cbor2.loads(turned) == fields
    with pytest.raises(ManifestUnreadable):
        read(SEAL.seal(zstandard.compress(turned), "manifest:7"))
