"""Keys, and what is done with them.

A sealed object: magic `SVPT`, format version (1 byte), id of the sealing key (8 bytes), nonce
(12 bytes), AES-256-GCM ciphertext and tag (16 bytes). The authenticated data are the header, the
purpose and the project's gid, so that no object passes for one of another project or purpose.

All keys of a project are derived from a master key and the gid by BLAKE3's derive_key mode. The
id of a master key is derived from it as well, so that a key needs no further configuration.

Contents are known by three keyed hashes:

    block digest  keyed BLAKE3 of a block, 32 bytes; the block's id is its first 16
    content hash  keyed BLAKE3 of the digests of all blocks of a content, in order, joined
    mark          of a grain: the first 8 bytes of the tag that AES-256-GCM gives for no plaintext,
                  a nonce of 12 zero bytes and the grain as authenticated data
"""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from functools import cached_property, lru_cache

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backups.errors import KeyUnknown, ObjectDamaged

KEY_SIZE = 32
KEY_ID_SIZE = 8
BLOCK_ID_SIZE = 16
MARK_SIZE = 8
CONTENT_HASH_SIZE = 32
SEAL_OVERHEAD = 4 + 1 + KEY_ID_SIZE + 12 + 16

_MAGIC = b"SVPT"
_FORMAT = b"\1"
_HEADER_SIZE = len(_MAGIC) + len(_FORMAT) + KEY_ID_SIZE
_NONCE_SIZE = 12
_MARK_NONCE = bytes(_NONCE_SIZE)
_KEY_ID_CONTEXT = "savepoint 2026 v1 id of a master key"
_SEALING_CONTEXT = "savepoint 2026 v1 sealing key of a project"
_BLOCK_CONTEXT = "savepoint 2026 v1 block identifier key of a project"
_MARK_CONTEXT = "savepoint 2026 v1 unit mark key of a project"
_CONTENT_CONTEXT = "savepoint 2026 v1 content hash key of a project"


def _derived(context: str, material: bytes, length: int = KEY_SIZE) -> bytes:
    return blake3(material, derive_key_context=context).digest(length=length)


def key_id_of(key: bytes) -> bytes:
    """The 8 bytes by which sealed objects name a master key; they tell nothing about it."""
    return _derived(_KEY_ID_CONTEXT, key, KEY_ID_SIZE)


def parse_key(text: str) -> bytes:
    """A 32-byte key from 64 hex digits or from base64 (either alphabet). Raises ValueError."""
    text = text.strip()
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    try:
        padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
        key = base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_SIZE:
        # without the text: it is nearly a key
        raise ValueError("a key is 32 bytes, as 64 hex digits or as base64")
    return key


class Keyring:
    """The master keys: one that new objects are sealed with, and older ones still needed."""

    def __init__(self, keys: Mapping[bytes, bytes], current: bytes) -> None:
        """`keys`: id -> 32 bytes; `current`: the id of one of them. Raises ValueError."""
        for key_id, key in keys.items():
            if len(key) != KEY_SIZE or key_id_of(key) != key_id:
                raise ValueError("a key does not belong to its id, or is not 32 bytes long")
        if current not in keys:
            raise ValueError("the current key is not among the keys")
        self._keys = dict(keys)
        self.current = current

    @classmethod
    def of(cls, current: bytes, *older: bytes) -> "Keyring":
        """A keyring of these keys. Raises ValueError."""
        return cls({key_id_of(key): key for key in (current, *older)}, key_id_of(current))

    @classmethod
    def parse(cls, text: str) -> "Keyring":
        """Keys parted by commas or white space, the current one first. Raises ValueError."""
        keys = [parse_key(part) for part in re.split(r"[,\s]+", text.strip()) if part]
        if not keys:
            raise ValueError("there is no key")
        return cls.of(*keys)

    def __contains__(self, key_id: bytes) -> bool:
        return key_id in self._keys

    def __repr__(self) -> str:
        return f"<Keyring of {len(self._keys)} keys, current {self.current.hex()}>"

    def master(self, key_id: bytes) -> bytes:
        """The key with this id. Raises KeyUnknown."""
        try:
            return self._keys[key_id]
        except KeyError:
            raise KeyUnknown(
                f"the key {key_id.hex()}, with which the backup was sealed, is not configured"
            ) from None


class ContentHasher:
    """The hash of a whole content, from the digests of its blocks: no byte is hashed twice."""

    def __init__(self, content_key: bytes) -> None:
        self._whole = blake3(key=content_key)

    def add(self, *digests: bytes) -> None:
        """Take the content's next blocks in by their digests."""
        self._whole.update(b"".join(digests))

    def digest(self) -> bytes:
        """The 32 bytes of what was taken in so far."""
        return self._whole.digest()


class Fingerprints:
    """One project's hashes, keyed so that nobody else can tell what a known content gives.

    They belong to the master key `key_id`, which a manifest names. It need not be the sealing
    key of today: a new version goes on with its parent's as long as that is in the keyring, or
    the first version after a rotation would store everything again.
    """

    def __init__(self, keyring: Keyring, gid: str, key_id: bytes) -> None:
        """Raises KeyUnknown."""
        material = keyring.master(key_id) + gid.encode()
        self.key_id = key_id
        self._block_key = _derived(_BLOCK_CONTEXT, material)
        self._content_key = _derived(_CONTENT_CONTEXT, material)
        self._marker = AESGCM(_derived(_MARK_CONTEXT, material))

    def block_id(self, block: bytes | memoryview) -> bytes:
        """The 16 bytes that stand for a block."""
        return blake3(block, key=self._block_key).digest(length=BLOCK_ID_SIZE)

    def block_digest(self, block: bytes | memoryview) -> bytes:
        """The 32 bytes of a block that a content's hash is made of; they begin with its id."""
        return blake3(block, key=self._block_key).digest()

    def block_digests(self, blocks: bytes | memoryview, block_size: int) -> list[bytes]:
        """The digests of all blocks in a piece of a content, the last perhaps shorter."""
        view = memoryview(blocks)
        return [
            self.block_digest(view[start : start + block_size])
            for start in range(0, len(view), block_size)
        ]

    def marks(self, block: bytes | memoryview, grain: int) -> bytes:
        """The 8 bytes for each `grain` bytes of a block, joined.

        A mark is only ever compared with the one at the same place in another version. Under a
        key that nobody knows, GCM's polynomial gives two grains of n times 16 bytes the same mark
        with a chance of at most (n + 1) / 2^64, whatever they hold: about 2^-56 for 4096 bytes. It
        takes half the time of a hash that resists those who know the key too. That its nonce is
        always the same does no harm as long as marks are kept sealed.
        """
        tag, view = self._marker.encrypt, memoryview(block)
        return b"".join(
            [
                tag(_MARK_NONCE, b"", view[start : start + grain])[:MARK_SIZE]
                for start in range(0, len(view), grain)
            ]
        )

    def content_hasher(self) -> ContentHasher:
        """A new hash of a whole content, to be fed block by block."""
        return ContentHasher(self._content_key)


class Seal:
    """Seals and opens the objects of one project."""

    def __init__(self, keyring: Keyring, gid: str) -> None:
        self._keyring = keyring
        self._gid = gid.encode()
        self._cipher_of = lru_cache(maxsize=8)(self._make_cipher)

    def seal(self, data: bytes, purpose: str) -> bytes:
        """`data` sealed with the current key; opens only for the same purpose."""
        header = self._current_header
        nonce = os.urandom(_NONCE_SIZE)
        cipher = self._cipher_of(self._keyring.current)
        return header + nonce + cipher.encrypt(nonce, data, self._bound(header, purpose))

    def unseal(self, sealed: bytes, purpose: str) -> bytes:
        """What was sealed. Raises ObjectDamaged, KeyUnknown."""
        header = bytes(sealed[:_HEADER_SIZE])
        if len(sealed) < SEAL_OVERHEAD or header[:4] != _MAGIC:
            raise ObjectDamaged("an object in the backup storage is no sealed object")
        if header[4:5] != _FORMAT:
            raise ObjectDamaged("an object in the backup storage has an unknown format")
        nonce = sealed[_HEADER_SIZE : _HEADER_SIZE + _NONCE_SIZE]
        cipher = self._cipher_of(header[5:])
        rest = memoryview(sealed)[_HEADER_SIZE + _NONCE_SIZE :]
        try:
            return cipher.decrypt(nonce, rest, self._bound(header, purpose))
        except InvalidTag:
            raise ObjectDamaged("an object in the backup storage is damaged") from None

    @cached_property
    def _current_header(self) -> bytes:
        return _MAGIC + _FORMAT + self._keyring.current

    def _make_cipher(self, key_id: bytes) -> AESGCM:
        return AESGCM(_derived(_SEALING_CONTEXT, self._keyring.master(key_id) + self._gid))

    def _bound(self, header: bytes, purpose: str) -> bytes:
        return header + len(self._gid).to_bytes(2, "big") + self._gid + purpose.encode()
