"""Work on frames in a few threads: what compresses, seals and hashes lets other threads run."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

import zstandard

from backups.errors import ObjectDamaged
from backups.store.seal import Seal

# Two that compress, or open, and one that waits for the store.
THREADS = 3
_PURPOSE = "frame"

Given = TypeVar("Given")
Made = TypeVar("Made")


class Press:
    """Turns what frames hold into sealed bytes and back; leaving the context ends its threads.

    Threads begin with the first call, so that a process may fork before it.
    """

    def __init__(self, seal: Seal, *, level: int) -> None:
        """`level` is zstd's."""
        self._seal = seal
        self._level = level
        self._tools = threading.local()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="press")

    def __enter__(self) -> "Press":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def sealed(self, pieces: Sequence[bytes]) -> bytes:
        """The bytes of a frame that holds these pieces."""
        tools = self._tools
        if not hasattr(tools, "compressor"):
            tools.compressor = zstandard.ZstdCompressor(level=self._level)
        # Piece by piece, which spares a copy of them all.
        stream = tools.compressor.compressobj(size=sum(map(len, pieces)))
        parts = [stream.compress(piece) for piece in pieces]
        parts.append(stream.flush())
        return self._seal.seal(b"".join(parts), _PURPOSE)

    def opened(self, sealed: bytes, raw_length: int) -> bytes:
        """What a frame holds. Raises ObjectDamaged, KeyUnknown."""
        tools = self._tools
        if not hasattr(tools, "decompressor"):
            tools.decompressor = zstandard.ZstdDecompressor()
        compressed = self._seal.unseal(sealed, _PURPOSE)
        try:
            # Asked first, as decompress() makes room for whatever length the frame claims.
            if zstandard.frame_content_size(compressed) != raw_length:
                raise ObjectDamaged("a frame in the backup storage has another length than it had")
            raw: bytes = tools.decompressor.decompress(compressed)
        except zstandard.ZstdError as error:
            raise ObjectDamaged("a frame in the backup storage cannot be opened") from error
        return raw

    def begin(self, work: Callable[[Given], Made], given: Given) -> "Future[Made]":
        """Do it in a thread."""
        return self._pool.submit(work, given)
