"""One project's part of an object store."""

import re
from collections.abc import Iterator

from blake3 import blake3

from backups.errors import ManifestUnreadable, ObjectMissing
from backups.store import manifest as manifests
from backups.store.manifest import Manifest
from backups.store.objects import ObjectStore
from backups.store.packs import PackReader, PackWriter
from backups.store.seal import Fingerprints, Keyring, Seal

BLOCK_SIZE = 1 << 16
FRAME_SIZE = 1 << 18
PACK_SIZE = 1 << 25
ZSTD_LEVEL = 1

_GID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HASH_DIGITS = 32


class ProjectStore:
    """Manifests and packs under one gid, with the keys to them."""

    def __init__(
        self,
        store: ObjectStore,
        keyring: Keyring,
        gid: str,
        *,
        block_size: int = BLOCK_SIZE,
        frame_size: int = FRAME_SIZE,
        pack_size: int = PACK_SIZE,
        level: int = ZSTD_LEVEL,
    ) -> None:
        """Sizes are bytes and hold for what is written; what is there keeps its own. `level` is
        zstd's. Raises ValueError for a gid that can't begin a key."""
        if not _GID.fullmatch(gid):
            raise ValueError("not a project gid")
        self.store = store
        self.gid = gid
        self.block_size = block_size
        self._keyring = keyring
        self._frame_size = frame_size
        self._pack_size = pack_size
        self._level = level
        self._seal = Seal(keyring, gid)

    def fingerprints(self, key_id: bytes | None = None) -> Fingerprints:
        """The project's hashes by this master key, or by today's. Raises KeyUnknown."""
        return Fingerprints(self._keyring, self.gid, key_id or self._keyring.current)

    def knows_key(self, key_id: bytes) -> bool:
        """Whether the master key is in the keyring."""
        return key_id in self._keyring

    def pack_writer(self) -> PackWriter:
        """A writer of new packs."""
        return PackWriter(
            self.store,
            self.gid,
            self._seal,
            frame_size=self._frame_size,
            pack_size=self._pack_size,
            level=self._level,
        )

    def pack_reader(self, manifest: Manifest, *, whole: frozenset[str] = frozenset()) -> PackReader:
        """A reader of a version's frames; for `whole` see `PackReader`."""
        return PackReader(
            self.store, self.gid, self._seal, manifest.packs, manifest.frames, whole=whole
        )

    def sealed_manifest(self, manifest: Manifest) -> tuple[str, bytes]:
        """The key and the bytes of a manifest; nothing is stored yet."""
        sealed = manifests.encoded(manifest, self._seal)
        digest = blake3(sealed).hexdigest()[:_HASH_DIGITS]
        return f"{self._manifests}{manifest.version:08d}-{digest}", sealed

    def read_manifest(self, key: str) -> Manifest:
        """The manifest with this key.

        Raises ObjectMissing, KeyUnknown, ManifestUnreadable when it is not what was written.
        """
        name = re.fullmatch(r"(\d{8,})-([0-9a-f]{32})", key.removeprefix(self._manifests))
        if not key.startswith(self._manifests) or name is None:
            raise ManifestUnreadable("the version's manifest has no valid key")
        version, digest = name.groups()
        try:
            sealed = self.store.get(key)
        except ObjectMissing as error:
            raise ObjectMissing(f"the manifest of version {int(version)} is missing") from error
        if blake3(sealed).hexdigest()[:_HASH_DIGITS] != digest:
            raise ManifestUnreadable(f"the manifest of version {int(version)} is damaged")
        return manifests.decoded(sealed, self._seal, project=self.gid, version=int(version))

    def manifest_keys(self) -> Iterator[str]:
        """The keys of all manifests there are, by version; also of versions never completed."""
        return self.store.list(self._manifests)

    def pack_keys(self) -> Iterator[str]:
        """The keys of all packs there are, referred to or not."""
        return self.store.list(f"{self.gid}/packs/")

    @property
    def _manifests(self) -> str:
        return f"{self.gid}/manifests/"
