"""Work on frames in a few threads: what compresses, seals and hashes lets other threads run."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from types import TracebackType
from typing import TypeVar

import zstandard

from backups.errors import ObjectDamaged
from backups.store.seal import Seal

# That compress and open, and that wait for the store.
WORKING_THREADS = 2
WAITING_THREADS = 2
_PURPOSE = "frame"
_AHEAD = 2

Given = TypeVar("Given")
Made = TypeVar("Made")


class Press:
    """Turns what frames hold into sealed bytes and back; leaving the context ends its threads.

    Threads begin with the first call, so that a process may fork before it.
    """

    def __init__(self, seal: Seal, *, level: int) -> None:
        """`level` is zstd's."""
        self._seal = seal
        self._tools = _Tools(level)
        self._working = ThreadPoolExecutor(WORKING_THREADS, thread_name_prefix="press")
        self._waiting = ThreadPoolExecutor(WAITING_THREADS, thread_name_prefix="store")

    def __enter__(self) -> "Press":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pool in (self._waiting, self._working):
            pool.shutdown(wait=True, cancel_futures=True)

    def sealed(self, pieces: Sequence[bytes | memoryview]) -> bytes:
        """The bytes of a frame that holds these pieces.

        Opened again and compared: raises ObjectDamaged when they don't give what they were made of.
        """
        raw = b"".join(pieces)
        sealed = self._seal.seal(self._tools.compressor.compress(raw), _PURPOSE)
        if self.opened(sealed, len(raw)) != raw:
            raise ObjectDamaged("a frame does not open to what it was made of")
        return sealed

    def opened(self, sealed: bytes, raw_length: int) -> bytes:
        """What a frame holds. Raises ObjectDamaged, KeyUnknown."""
        compressed = self._seal.unseal(sealed, _PURPOSE)
        try:
            # Asked first, as decompress() makes room for whatever length the frame claims.
            if zstandard.frame_content_size(compressed) != raw_length:
                raise ObjectDamaged("a frame in the backup storage has another length than it had")
            raw: bytes = self._tools.decompressor.decompress(compressed)
        except zstandard.ZstdError as error:
            raise ObjectDamaged("a frame in the backup storage cannot be opened") from error
        return raw

    def begin(self, work: Callable[[Given], Made], given: Given) -> "Future[Made]":
        """Do in a thread what keeps the processor busy."""
        return self._working.submit(work, given)

    def in_order(
        self, work: Callable[[Given], Made], given: Iterable[Given]
    ) -> Iterator[tuple[Given, Made]]:
        """Each of what is given, and what becomes of it in a thread; the next few are begun ahead.

        `given` is gone through in the caller's thread. Raises what `work` and `given` raise.
        """
        begun: deque[tuple[Given, Future[Made]]] = deque()
        for one in given:
            begun.append((one, self.begin(work, one)))
            if len(begun) > _AHEAD:
                first, made = begun.popleft()
                yield first, made.result()
        while begun:
            first, made = begun.popleft()
            yield first, made.result()

    def send(self, work: Callable[[Given], Made], given: Given) -> "Future[Made]":
        """Do in a thread what waits for the store most of the time."""
        return self._waiting.submit(work, given)


class _Tools(threading.local):
    """A thread's own contexts of zstd, made when first used."""

    def __init__(self, level: int) -> None:
        self._level = level

    @cached_property
    def compressor(self) -> zstandard.ZstdCompressor:
        # The level's parameters for large contents: those that zstd takes for some 100 KB look for
        # shorter matches, which takes a fifth more time for a fiftieth less bytes.
        parameters = zstandard.ZstdCompressionParameters.from_level(self._level)
        return zstandard.ZstdCompressor(compression_params=parameters)

    @cached_property
    def decompressor(self) -> zstandard.ZstdDecompressor:
        return zstandard.ZstdDecompressor()
