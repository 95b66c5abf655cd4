"""Frames of compressed, sealed content, many to an object.

A pack is a row of sealed frames, nothing else; a frame is one zstd frame, sealed with purpose
"frame". A pack's name is the BLAKE3 hash of its bytes in hex, its key
`<gid>/packs/<first two digits>/<name>`. Where the frames begin stands in the layers.
"""

from collections import deque
from concurrent.futures import Future, wait
from typing import NamedTuple

from blake3 import blake3

from backups.errors import ObjectDamaged, StorageError
from backups.store.objects import ObjectStore
from backups.store.press import Press

_FRAMES_AHEAD = 8
# While one waits for the disk another is hashed and written. They are large: no more at a time.
_PACKS_ON_THEIR_WAY = 2
# Bytes of a pack that are read back at a time.
_PART_SIZE = 1 << 22


class Pack(NamedTuple):
    """An object of frames."""

    name: str
    length: int


class Frame(NamedTuple):
    """Where a frame lies: the pack's number, offset and length in its bytes, and the length of
    what it holds."""

    pack: int
    offset: int
    length: int
    raw_length: int


class Piece(NamedTuple):
    """Some bytes of what a frame holds; fewer if it ends before."""

    frame: Frame
    offset: int
    length: int


def pack_key(gid: str, name: str) -> str:
    """The object key of a pack."""
    return f"{gid}/packs/{name[:2]}/{name}"


class PackWriter:
    """Gathers pieces into frames, and frames into packs, which it puts into the store.

    Each pack is read back in the same thread while the next one is gathered.
    """

    def __init__(
        self,
        store: ObjectStore,
        gid: str,
        press: Press,
        *,
        frame_size: int,
        pack_size: int,
        first_number: int = 0,
    ) -> None:
        """Sizes in bytes: of a frame before compression, of a pack; both may be passed by one
        piece or frame. Packs are numbered from `first_number` on."""
        self._store = store
        self._gid = gid
        self._press = press
        self._frame_size = frame_size
        self._pack_size = pack_size
        self._first_number = first_number
        self._raw: list[bytes | memoryview] = []
        self._raw_length = 0
        self._begun: deque[tuple[Future[bytes], int]] = deque()
        # The pack that is gathered: so many bytes of a buffer, which is used for another when the
        # pack is stored. New memory for each would have to be cleared by the system.
        self._buffer = bytearray()
        self._length = 0
        self._spare: list[bytearray] = []
        self._closed = 0
        self._putting: deque[Future[tuple[Pack, bytearray]]] = deque()
        self._put_keys: list[str] = []
        self.packs: dict[int, Pack] = {}
        self.frames: list[Frame] = []

    def add(self, piece: bytes | memoryview) -> tuple[int, int]:
        """Take a piece in; returns the place in `frames` that its frame will have, and the
        piece's offset in the frame. Raises StorageError."""
        if self._raw and self._raw_length + len(piece) > self._frame_size:
            self._close_frame()
        place = (len(self.frames) + len(self._begun), self._raw_length)
        self._raw.append(piece)
        self._raw_length += len(piece)
        return place

    def end_frame(self) -> None:
        """Let the next piece begin a frame: this one would not lie at a multiple of a grain."""
        if self._raw:
            self._close_frame()

    def finish(self) -> None:
        """Put what is still gathered. `packs` and `frames` are complete then, and all packs were
        read back. Raises StorageError."""
        if self._raw:
            self._close_frame()
        while self._begun:
            self._take_frame()
        if self._length:
            self._close_pack()
        self._wait_for(all_but=0)

    @property
    def next_number(self) -> int:
        """The number of the pack that is being gathered."""
        return self._first_number + self._closed

    def abort(self) -> None:
        """Delete the packs that this writer has put. Goes on past a failure, then raises it."""
        failure: StorageError | None = None
        wait(self._putting)  # or they would put after the delete
        for key in self._put_keys:
            try:
                self._store.delete(key)
            except StorageError as error:
                failure = error
        if failure:
            raise failure

    def _close_frame(self) -> None:
        self._begun.append((self._press.begin(self._press.sealed, self._raw), self._raw_length))
        self._raw, self._raw_length = [], 0
        while len(self._begun) > _FRAMES_AHEAD or (self._begun and self._begun[0][0].done()):
            self._take_frame()

    def _take_frame(self) -> None:
        future, raw_length = self._begun[0]
        sealed = future.result()
        self._begun.popleft()
        self.frames.append(Frame(self.next_number, self._length, len(sealed), raw_length))
        self._buffer[self._length : self._length + len(sealed)] = sealed
        self._length += len(sealed)
        if self._length >= self._pack_size:
            self._close_pack()

    def _close_pack(self) -> None:
        self._wait_for(all_but=_PACKS_ON_THEIR_WAY - 1)
        self._putting.append(self._press.send(self._put, (self._buffer, self._length)))
        self._closed += 1
        self._buffer, self._length = self._spare.pop() if self._spare else bytearray(), 0

    def _put(self, gathered: tuple[bytearray, int]) -> tuple[Pack, bytearray]:
        buffer, length = gathered
        with memoryview(buffer) as whole, whole[:length] as data:
            name = blake3(data).hexdigest()
            key = pack_key(self._gid, name)
            self._put_keys.append(key)  # before the put, which may be broken off
            self._store.put(key, data)
        if self._read_back(key, length) != name:
            raise ObjectDamaged("a pack in the backup storage is not the one written")
        return Pack(name, length), buffer

    def _read_back(self, key: str, length: int) -> str:
        # The frames in it were opened and compared when they were made: as long as these are the
        # same bytes, they give the same again.
        found = blake3()
        for offset in range(0, length, _PART_SIZE):
            # The last to its end, which must not come later than it should.
            wanted = _PART_SIZE if offset + _PART_SIZE < length else None
            found.update(self._store.get(key, offset, wanted))
        return found.hexdigest()

    def _wait_for(self, *, all_but: int) -> None:
        while len(self._putting) > all_but:
            pack, buffer = self._putting[0].result()
            self._putting.popleft()
            self._spare.append(buffer)
            self.packs[self._first_number + len(self.packs)] = pack
