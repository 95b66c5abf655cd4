"""What manifests promise."""

import dataclasses
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
import zstandard

from backups.errors import KeyUnknown, ManifestUnreadable
from backups.store import manifest as manifests
from backups.store.manifest import Manifest
from backups.store.seal import Keyring, Seal
from backups.store.tables import Table

SEAL = Seal(Keyring.of(bytes(32)), "g")


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
        outline=Table("ab" * 32, 1234),
    )


def read(sealed: bytes, *, project: str = "g", version: int = 7) -> Manifest:
    return manifests.decoded(sealed, SEAL, project=project, version=version)


def test_a_manifest_reads_as_it_was_written() -> None:
    assert read(manifests.encoded(example(), SEAL)) == example()
    first = dataclasses.replace(example(), parent=None)
    assert read(manifests.encoded(first, SEAL)) == first


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
    {"tools": {1: 2}},
    {"outline": bytes(31)},
    {"outline": "ab" * 16},
    {"outline_length": -1},
    {"outline_length": 1 << 63},
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
