"""A project's index, cached in a folder of this machine and rebuilt when it is lost.

It is sealed, as no one may learn the marks. A file is a record (see `records`) of format
"savepoint-index", sealed with purpose "index", then the table in parts, each sealed with a purpose
that names the record's `save` and the part's number; each of them after its length, 4 bytes,
little-endian. A file that is not of one piece, of another key or of another project does not open.
"""

import logging
import os
import secrets
from array import array
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

from backups.errors import KeyUnknown, ManifestUnreadable, ObjectDamaged
from backups.store.index import Index, Seen
from backups.store.records import opened_record, sealed_record
from backups.store.seal import KEY_ID_SIZE, Seal
from backups.store.shape import Shape

logger = logging.getLogger(__name__)

FORMAT = "savepoint-index"
_PURPOSE = "index"
# Entries of the table that are sealed together.
_PART = 1 << 16
_KNOWN_SIZE = 8
_LONGEST_BITS = 26


class IndexCache:
    """The files of one project's indexes; without a folder nothing is kept."""

    def __init__(self, folder: Path | None, gid: str, seal: Seal) -> None:
        self._folder = folder
        self._gid = gid
        self._seal = seal

    def load(self, identifier_key: bytes, shape: Shape) -> Index:
        """The index of these versions; an empty one if none is kept that can be read."""
        path = self._path(identifier_key, shape)
        if path is not None:
            try:
                return self._read(path, identifier_key, shape)
            except FileNotFoundError:
                pass
            except (OSError, ValueError, ObjectDamaged, ManifestUnreadable, KeyUnknown) as error:
                logger.warning("The index of %s is made anew: %s", self._gid, error)
        return Index(identifier_key, shape)

    def save(self, index: Index) -> None:
        """Write the index to its file. A failure is logged only: the next one is rebuilt."""
        path = self._path(index.identifier_key, index.shape)
        if path is None:
            return
        part = path.with_name(f".{path.name}-{secrets.token_hex(4)}.part")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in path.parent.glob(f".{self._gid}.*.part"):
                left.unlink(missing_ok=True)  # by a killed process
            self._write(part, index)
            os.replace(part, path)
        except OSError as error:
            logger.warning("The index of %s can't be kept: %s", self._gid, error.strerror)
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all that is kept of the project, and what a killed process left of it."""
        if self._folder is None:
            return
        for pattern in (f"{self._gid}.*.index", f".{self._gid}.*.part"):
            for path in self._folder.glob(pattern):
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    # It is sealed, and useless without the versions: no reason to fail the removal.
                    logger.warning("The index of %s stays: %s", self._gid, error.strerror)

    def _path(self, identifier_key: bytes, shape: Shape) -> Path | None:
        if self._folder is None:
            return None
        kind = blake3(identifier_key + repr(tuple(shape)).encode()).hexdigest()[:8]
        return self._folder / f"{self._gid}.{kind}.index"

    def _write(self, path: Path, index: Index) -> None:
        versions = sorted(index.seen)
        seen = [index.seen[version] for version in versions]
        save = secrets.token_hex(8)
        keys, values = index.entries()
        head = sealed_record(
            FORMAT,
            {
                "save": save,
                "identifier_key": index.identifier_key,
                "shape": list(index.shape),
                "versions": versions,
                "seen": b"".join(b"".join(one) for one in seen),
                "gone": index.gone,
                "thinned": index.thinned,
                "slots": len(keys),
            },
            self._seal,
            _PURPOSE,
        )
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(len(head).to_bytes(4, "little") + head)
            for number, at in enumerate(range(0, len(keys), _PART)):
                raw = keys[at : at + _PART].tobytes() + values[at : at + _PART].tobytes()
                sealed = self._seal.seal(raw, f"{_PURPOSE}:{save}:{number}")
                file.write(len(sealed).to_bytes(4, "little") + sealed)

    def _read(self, path: Path, identifier_key: bytes, shape: Shape) -> Index:
        with path.open("rb") as file:

            def sealed() -> bytes:
                length = int.from_bytes(file.read(4), "little")
                return file.read(length) if length < 1 << _LONGEST_BITS else b""

            fields = opened_record(FORMAT, sealed(), self._seal, _PURPOSE)
            index = Index(identifier_key, shape)
            if fields.data("identifier_key", length=KEY_ID_SIZE) != identifier_key or tuple(
                fields.numbers("shape")
            ) != tuple(shape):
                raise ManifestUnreadable("it is of other versions")
            save, slots = fields.text("save"), fields.number("slots", least=1)
            if slots.bit_count() != 1:
                raise ManifestUnreadable("it is not of one piece")
            keys, values = array("Q"), array("Q")
            for number, at in enumerate(range(0, slots, _PART)):
                raw = self._seal.unseal(sealed(), f"{_PURPOSE}:{save}:{number}")
                half = 8 * min(_PART, slots - at)
                if len(raw) != 2 * half:
                    raise ManifestUnreadable("it is not of one piece")
                keys.frombytes(raw[:half])
                values.frombytes(raw[half:])
        versions, joined = fields.numbers("versions"), fields.data("seen", step=3 * _KNOWN_SIZE)
        for place, version in enumerate(versions):
            at = place * 3 * _KNOWN_SIZE
            parts = [joined[at + n * _KNOWN_SIZE : at + (n + 1) * _KNOWN_SIZE] for n in range(3)]
            index.seen[version] = Seen(*parts)
        index.gone = fields.number("gone")
        index.fill(keys, values, fields.number("thinned"))
        return index
