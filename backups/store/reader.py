"""Frames out of packs."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from itertools import islice
from typing import TypeVar

from backups.errors import ManifestUnreadable
from backups.store.objects import ObjectStore
from backups.store.packs import Frame, Pack, Piece, pack_key
from backups.store.press import Press

# Bytes of opened frames that are kept. A content that was changed at many places in many versions
# is put together from a frame of each of them at a time: 256 at the usual size.
KEPT_BYTES = 1 << 26
_BLOCKS_AHEAD = 48

Known = TypeVar("Known")


class PackReader:
    """Opens frames. Keeps some of those asked for last, as neighbouring blocks share them."""

    def __init__(
        self,
        store: ObjectStore,
        gid: str,
        press: Press,
        packs: Mapping[int, Pack],
    ) -> None:
        self._store = store
        self._gid = gid
        self._press = press
        self._packs = packs
        self._opened: OrderedDict[Frame, Future[bytes]] = OrderedDict()
        self._kept_bytes = 0

    def frame(self, frame: Frame) -> bytes:
        """What the frame holds.

        Raises ObjectMissing, ObjectDamaged, ManifestUnreadable, KeyUnknown.
        """
        self.expect(frame)
        return self._opened[frame].result()

    def expect(self, frame: Frame) -> None:
        """Begin to read and open the frame, which will be asked for soon."""
        with suppress(KeyError):
            self._opened.move_to_end(frame)
            return
        self._opened[frame] = self._press.begin(self._open, frame)
        self._kept_bytes += frame.raw_length
        while self._kept_bytes > KEPT_BYTES and len(self._opened) > 1:
            dropped, future = self._opened.popitem(last=False)
            future.cancel()
            self._kept_bytes -= dropped.raw_length

    def _open(self, frame: Frame) -> bytes:
        return self._press.opened(self._sealed(frame), frame.raw_length)

    def _sealed(self, frame: Frame) -> bytes:
        pack = self._packs.get(frame.pack)
        if pack is None or frame.offset + frame.length > pack.length:
            raise ManifestUnreadable("the version names a frame that is in none of its packs")
        return self._store.get(pack_key(self._gid, pack.name), frame.offset, frame.length)


def assembled(
    reader: PackReader, blocks: Iterable[tuple[Known, list[Piece]]]
) -> Iterator[tuple[Known, bytes | memoryview]]:
    """What is known of blocks, and their bytes. Opens the frames of the next few ahead.

    A view of a frame keeps all of it in memory: who keeps the bytes must copy them.
    """
    ahead: deque[tuple[Known, list[Piece]]] = deque()
    source = iter(blocks)
    while True:
        for known, pieces in islice(source, _BLOCKS_AHEAD + 1 - len(ahead)):
            for piece in pieces:
                reader.expect(piece.frame)
            ahead.append((known, pieces))
        if not ahead:
            return
        known, pieces = ahead.popleft()
        parts = [
            memoryview(reader.frame(frame))[offset : offset + length]
            for frame, offset, length in pieces
        ]
        yield known, parts[0] if len(parts) == 1 else b"".join(parts)
