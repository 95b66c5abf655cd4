"""Maps as sealed objects: canonical CBOR (RFC 8949), as one zstd frame, sealed (see `seal`).

Each map says in its fields `format` and `format_version` what it is. Its purpose in the seal keeps
one kind from passing for another.
"""

from collections.abc import Iterable, Mapping
from itertools import accumulate, pairwise
from typing import Any

import cbor2
import zstandard

from backups.errors import ManifestUnreadable
from backups.store.fields import Fields
from backups.store.seal import Seal

FORMAT_VERSION = 1

_ZSTD_LEVEL = 3
_LARGEST = 1 << 31


def sealed_record(kind: str, fields: Mapping[str, Any], seal: Seal, purpose: str) -> bytes:
    """The fields as an object's bytes."""
    whole = {"format": kind, "format_version": FORMAT_VERSION, **fields}
    plain = cbor2.dumps(whole, canonical=True)
    compressed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(plain)
    return seal.seal(compressed, purpose)


def opened_record(kind: str, sealed: bytes, seal: Seal, purpose: str) -> Fields:
    """The fields in an object's bytes. Raises KeyUnknown, ObjectDamaged, ManifestUnreadable."""
    compressed = seal.unseal(sealed, purpose)
    try:
        if not 0 <= zstandard.frame_content_size(compressed) <= _LARGEST:
            raise ManifestUnreadable("a version's description is too large")
        plain = zstandard.ZstdDecompressor().decompress(compressed)
        found = cbor2.loads(plain)
        canonical = cbor2.dumps(found, canonical=True) == plain
    except (zstandard.ZstdError, cbor2.CBORError, ValueError, TypeError, RecursionError) as error:
        raise ManifestUnreadable("a version's description cannot be decoded") from error
    fields = Fields(found)
    if not canonical or fields.text("format") != kind:
        raise ManifestUnreadable("a version's description is not what it should be")
    if fields.number("format_version") != FORMAT_VERSION:
        raise ManifestUnreadable("the version has a format that this program does not know")
    return fields


def differences(numbers: Iterable[int]) -> list[int]:
    """A column as it is written: each number's difference to the one before, the first's to 0."""
    return [after - before for before, after in pairwise([0, *numbers])]


def column(fields: Fields, name: str) -> list[int]:
    """A column as it is read."""
    numbers = list(accumulate(fields.numbers(name)))
    if numbers and not (min(numbers) >= 0 and max(numbers) < 1 << 63):
        raise ManifestUnreadable(f"the field {name} has a number out of range")
    return numbers


def rows(fields: Fields, names: tuple[str, ...]) -> "list[tuple[int, ...]]":
    """Columns of the same length, as rows."""
    columns = [column(fields, name) for name in names]
    if len({len(numbers) for numbers in columns}) != 1:
        raise ManifestUnreadable("columns of a version's description differ in length")
    return list(zip(*columns, strict=True))
