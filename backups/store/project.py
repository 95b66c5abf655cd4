"""One project's part of an object store."""

import re
from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3

from backups.errors import ManifestUnreadable, ObjectMissing
from backups.store import condemned, layers, outline
from backups.store import manifest as manifests
from backups.store.condemned import Condemned
from backups.store.index_cache import IndexCache
from backups.store.layers import Layer
from backups.store.manifest import Manifest
from backups.store.objects import ObjectStore
from backups.store.outline import Outline
from backups.store.packs import PackWriter, pack_key
from backups.store.press import Press
from backups.store.reader import PackReader
from backups.store.seal import Fingerprints, Keyring, Seal
from backups.store.segment import Segment
from backups.store.shape import Shape
from backups.store.tables import Table, Tables, table_key

BLOCK_SIZE = 1 << 16
SEGMENT_BLOCKS = 1 << 12
FRAME_SIZE = 1 << 18
PACK_SIZE = 1 << 24
ZSTD_LEVEL = 2

_GID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HASH_DIGITS = 32
_MANIFEST = re.compile(r"(\d{8,})-([0-9a-f]{32})")


def is_gid(text: str) -> bool:
    """Whether the keys of a project's objects can begin with this text."""
    return _GID.fullmatch(text) is not None


class ProjectStore:
    """Manifests, tables and packs under one gid, with the keys to them."""

    def __init__(
        self,
        store: ObjectStore,
        keyring: Keyring,
        gid: str,
        *,
        block_size: int = BLOCK_SIZE,
        segment_blocks: int = SEGMENT_BLOCKS,
        frame_size: int = FRAME_SIZE,
        pack_size: int = PACK_SIZE,
        level: int = ZSTD_LEVEL,
        cache: Path | None = None,
    ) -> None:
        """Sizes are bytes and hold for what is written; what is there keeps its own. `level` is
        zstd's. `cache`: a folder of this machine for the index, which is made anew each time
        without one. Raises ValueError for a gid that can't begin a key."""
        if not is_gid(gid):
            raise ValueError("not a project gid")
        self.store = store
        self.gid = gid
        self._block_size = block_size
        self._segment_blocks = segment_blocks
        self._keyring = keyring
        self._frame_size = frame_size
        self._pack_size = pack_size
        self._level = level
        self._seal = Seal(keyring, gid)
        self._cache = cache

    def fingerprints(self, key_id: bytes | None = None) -> Fingerprints:
        """The project's hashes by this master key, or by today's. Raises KeyUnknown."""
        return Fingerprints(self._keyring, self.gid, key_id or self._keyring.current)

    def knows_key(self, key_id: bytes) -> bool:
        """Whether the master key is in the keyring."""
        return key_id in self._keyring

    def shape(self, unit_size: int) -> Shape:
        """How a content with such units is divided when it is written now."""
        return Shape.of(unit_size, block_size=self._block_size, segment_blocks=self._segment_blocks)

    def press(self) -> Press:
        """What packs are written and read with; see there how it is closed."""
        return Press(self._seal, level=self._level)

    def pack_writer(self, press: Press, *, first_number: int) -> PackWriter:
        """A writer of new packs, numbered from `first_number` on."""
        return PackWriter(
            self.store,
            self.gid,
            press,
            frame_size=self._frame_size,
            pack_size=self._pack_size,
            first_number=first_number,
        )

    def pack_reader(self, press: Press, outline: Outline) -> PackReader:
        """A reader of a version's frames."""
        return PackReader(self.store, self.gid, press, outline.packs)

    def index_cache(self) -> IndexCache:
        """Where this machine keeps the index of what versions hold."""
        return IndexCache(self._cache, self.gid, self._seal)

    def tables(self) -> Tables:
        """A writer of new tables."""
        return Tables(self.store, self.gid)

    def sealed_layer(self, layer: Layer) -> bytes:
        """The bytes of a layer; nothing is stored yet."""
        return layers.encoded(layer, self._seal)

    def sealed_outline(self, described: Outline) -> bytes:
        """The bytes of an outline; nothing is stored yet."""
        return outline.encoded(described, self._seal)

    def read_outline(self, manifest: Manifest) -> Outline:
        """What the version is made of. Raises ObjectMissing, KeyUnknown, ObjectDamaged,
        ManifestUnreadable."""
        return outline.decoded(self.tables().get(manifest.outline), self._seal)

    def read_layer(self, table: Table, shape: Shape) -> Layer:
        """A layer. Raises as `read_outline`."""
        return layers.decoded(self.tables().get(table), self._seal, shape)

    def read_segment(self, described: Outline, number: int) -> Segment:
        """What all layers of a segment tell together. Raises as `read_outline`."""
        segment = Segment(described.shape)
        for table in described.chains[number]:
            segment.apply(self.read_layer(table, described.shape))
        grains = described.shape.grains_in(described.segment_size(number))
        segment.check_whole(grains)
        if not {frame.pack for frame in segment.frames_used(grains)} <= described.packs.keys():
            raise ManifestUnreadable("the version names a pack that it does not list")
        return segment

    def needed_keys(self, manifest: Manifest) -> Iterator[str]:
        """The keys of all tables and packs that it takes to restore the version.

        Raises as `read_outline`; layers aren't read for it.
        """
        described = self.read_outline(manifest)
        yield table_key(self.gid, manifest.outline.name)
        for chain in described.chains:
            for table in chain:
                yield table_key(self.gid, table.name)
        for pack in described.packs.values():
            yield pack_key(self.gid, pack.name)

    def sealed_manifest(self, manifest: Manifest) -> tuple[str, bytes]:
        """The key and the bytes of a manifest; nothing is stored yet."""
        sealed = manifests.encoded(manifest, self._seal)
        digest = blake3(sealed).hexdigest()[:_HASH_DIGITS]
        return f"{self._manifests}{manifest.version:08d}-{digest}", sealed

    def read_manifest(self, key: str) -> Manifest:
        """The manifest with this key.

        Raises ObjectMissing, KeyUnknown, ManifestUnreadable when it is not what was written.
        """
        name = _MANIFEST.fullmatch(key.removeprefix(self._manifests))
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

    def version_of(self, key: str) -> int:
        """The version that a manifest's key is of; 0 if it is none."""
        number = key.removeprefix(self._manifests).partition("-")[0]
        return int(number) if self.is_manifest(key) and number.isdecimal() else 0

    def manifest_keys(self) -> Iterator[str]:
        """The keys of all manifests there are, by version; also of versions never completed."""
        return self.store.list(self._manifests)

    def is_manifest(self, key: str) -> bool:
        """Whether the key is that of a manifest of the project."""
        return key.startswith(self._manifests)

    def pack_keys(self) -> Iterator[str]:
        """The keys of all packs there are, referred to or not."""
        return self.store.list(f"{self.gid}/packs/")

    def table_keys(self) -> Iterator[str]:
        """The keys of all tables there are, referred to or not."""
        return self.store.list(f"{self.gid}/tables/")

    def condemned_keys(self) -> Iterator[str]:
        """The keys of all records of what nothing needs, the oldest first."""
        return self.store.list(condemned.prefix_of(self.gid))

    def read_condemned(self, key: str) -> Condemned | None:
        """See `condemned.read`. Raises StorageUnwritable."""
        return condemned.read(self.store, self._seal, key)

    def put_condemned(self, found: Condemned) -> str:
        """Store a record of what nothing needs; returns its key. Raises StorageError."""
        return condemned.put(self.store, self._seal, self.gid, found)

    @property
    def _manifests(self) -> str:
        return f"{self.gid}/manifests/"
