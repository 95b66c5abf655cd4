"""Frames of compressed, sealed content, many to an object.

A pack is a row of sealed frames, nothing else; a frame is one zstd frame, sealed with purpose
"frame". A pack's name is the BLAKE3 hash of its bytes in hex, its key
`<gid>/packs/<first two digits>/<name>`. Where the frames begin stands in the manifests.
"""

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import zstandard
from blake3 import blake3

from backups.errors import ObjectDamaged, StorageError
from backups.store.objects import ObjectStore
from backups.store.seal import Seal

_PURPOSE = "frame"
_FRAMES_KEPT = 4


class Pack(NamedTuple):
    """An object of frames."""

    name: str
    length: int


class Frame(NamedTuple):
    """Where a frame lies: the pack's place in a list of packs, offset and length in its bytes,
    and the length of what it holds."""

    pack: int
    offset: int
    length: int
    raw_length: int


def pack_key(gid: str, name: str) -> str:
    """The object key of a pack."""
    return f"{gid}/packs/{name[:2]}/{name}"


class PackWriter:
    """Gathers blocks into frames, and frames into packs, which it puts into the store."""

    def __init__(
        self,
        store: ObjectStore,
        gid: str,
        seal: Seal,
        *,
        frame_size: int,
        pack_size: int,
        level: int,
    ) -> None:
        """Sizes in bytes: of a frame before compression, of a pack; both may be passed by one
        block or frame. `level` is zstd's."""
        self._store = store
        self._gid = gid
        self._seal = seal
        self._frame_size = frame_size
        self._pack_size = pack_size
        self._compressor = zstandard.ZstdCompressor(level=level)
        self._raw: list[bytes] = []
        self._raw_length = 0
        self._sealed: list[bytes] = []
        self._sealed_length = 0
        self._put_keys: list[str] = []
        self.packs: list[Pack] = []
        self.frames: list[Frame] = []

    def add(self, block: bytes) -> tuple[int, int]:
        """Take a block in; returns the place in `frames` that its frame will have, and the
        block's offset in the frame. Raises StorageError."""
        if self._raw and self._raw_length + len(block) > self._frame_size:
            self._close_frame()
        place = (len(self.frames), self._raw_length)
        self._raw.append(block)
        self._raw_length += len(block)
        return place

    def finish(self) -> None:
        """Put what is still gathered. `packs` and `frames` are complete then."""
        if self._raw:
            self._close_frame()
        if self._sealed:
            self._close_pack()

    def abort(self) -> None:
        """Delete the packs that this writer has put. Goes on past a failure, then raises it."""
        failure: StorageError | None = None
        for key in self._put_keys:
            try:
                self._store.delete(key)
            except StorageError as error:
                failure = error
        if failure:
            raise failure

    def _close_frame(self) -> None:
        sealed = self._seal.seal(self._compressor.compress(b"".join(self._raw)), _PURPOSE)
        self.frames.append(
            Frame(len(self.packs), self._sealed_length, len(sealed), self._raw_length)
        )
        self._sealed.append(sealed)
        self._sealed_length += len(sealed)
        self._raw, self._raw_length = [], 0
        if self._sealed_length >= self._pack_size:
            self._close_pack()

    def _close_pack(self) -> None:
        data = b"".join(self._sealed)
        name = blake3(data).hexdigest()
        key = pack_key(self._gid, name)
        self._put_keys.append(key)  # before the put, which may be broken off
        self._store.put(key, data)
        self.packs.append(Pack(name, len(data)))
        self._sealed, self._sealed_length = [], 0


class PackReader:
    """Opens frames. Keeps the last few, as neighbouring blocks share them."""

    def __init__(
        self,
        store: ObjectStore,
        gid: str,
        seal: Seal,
        packs: Sequence[Pack],
        frames: Sequence[Frame],
        *,
        whole: frozenset[str] = frozenset(),
    ) -> None:
        """`whole`: names of packs to be fetched as a whole and compared with their names."""
        self._store = store
        self._gid = gid
        self._seal = seal
        self._packs = packs
        self._frames = frames
        self._whole = whole
        self._whole_pack: tuple[str, bytes] = ("", b"")
        self._opened: OrderedDict[int, bytes] = OrderedDict()
        self._decompressor = zstandard.ZstdDecompressor()

    def frame(self, number: int) -> bytes:
        """What the frame holds. Raises ObjectMissing, ObjectDamaged, KeyUnknown."""
        with suppress(KeyError):
            self._opened.move_to_end(number)
            return self._opened[number]
        frame = self._frames[number]
        compressed = self._seal.unseal(self._sealed(frame), _PURPOSE)
        try:
            # Asked first, as decompress() makes room for whatever length the frame claims.
            if zstandard.frame_content_size(compressed) != frame.raw_length:
                raise ObjectDamaged("a frame in the backup storage has another length than it had")
            raw = self._decompressor.decompress(compressed)
        except zstandard.ZstdError as error:
            raise ObjectDamaged("a frame in the backup storage cannot be opened") from error
        self._opened[number] = raw
        if len(self._opened) > _FRAMES_KEPT:
            self._opened.popitem(last=False)
        return raw

    def _sealed(self, frame: Frame) -> bytes:
        pack = self._packs[frame.pack]
        key = pack_key(self._gid, pack.name)
        if pack.name not in self._whole:
            return self._store.get(key, frame.offset, frame.length)
        if self._whole_pack[0] != pack.name:
            self._whole_pack = ("", b"")  # never two in memory
            data = self._store.get(key)
            if len(data) != pack.length or blake3(data).hexdigest() != pack.name:
                raise ObjectDamaged("a pack in the backup storage is not the one written")
            self._whole_pack = (pack.name, data)
        return self._whole_pack[1][frame.offset : frame.offset + frame.length]
