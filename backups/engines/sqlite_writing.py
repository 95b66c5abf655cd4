"""Bytes into a file of our own while the next ones are made, and on to the disk meanwhile."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from backups.engines.interface import Bytes

_AT_ONCE = 1 << 20
_BLOCKS_AT_ONCE = 1000  # the system takes 1024
_BATCHES_AHEAD = 4
_FLUSH_BYTES = 1 << 25


class FileWriter:
    """Writes to a descriptor, in order, in a thread, and syncs it in another if `durable`."""

    def __init__(
        self, descriptor: int, writer: ThreadPoolExecutor, flusher: ThreadPoolExecutor | None
    ) -> None:
        self._descriptor = descriptor
        self._writer = writer
        self._flusher = flusher
        self._batch: list[Bytes] = []
        self._batch_size = 0
        self._begun: deque[Future[None]] = deque()
        self._flushes: list[Future[None]] = []
        self._flushed = 0
        self.size = 0

    @property
    def file_size(self) -> int:
        """The bytes that the file has."""
        return os.fstat(self._descriptor).st_size

    def add(self, block: Bytes) -> None:
        """Write this after what was added before. Raises the OSError of an earlier write."""
        self._batch.append(block)
        self._batch_size += len(block)
        self.size += len(block)
        if self._batch_size >= _AT_ONCE or len(self._batch) >= _BLOCKS_AT_ONCE:
            self._begin_batch()
            self._wait_for_writes(all_but=_BATCHES_AHEAD)
            self._flush_some()

    def end(self) -> None:
        """Wait until all is written; begin to bring the rest to the disk. Raises OSError."""
        self._begin_batch()
        self._wait_for_writes(all_but=0)
        self._begin_flush(os.fsync)

    def wait(self) -> None:
        """Wait until all is on the disk. Raises OSError: the system tells of a failure once."""
        for flush in self._flushes:
            flush.result()

    def _begin_batch(self) -> None:
        if self._batch:
            self._begun.append(self._writer.submit(_write, self._descriptor, self._batch))
        self._batch, self._batch_size = [], 0

    def _wait_for_writes(self, *, all_but: int) -> None:
        while len(self._begun) > all_but:
            self._begun.popleft().result()

    def _flush_some(self) -> None:
        if self.size - self._flushed >= _FLUSH_BYTES and all(one.done() for one in self._flushes):
            self._begin_flush(os.fdatasync)
            self._flushed = self.size

    def _begin_flush(self, flush: Callable[[int], None]) -> None:
        if self._flusher is not None:
            self._flushes.append(self._flusher.submit(flush, self._descriptor))


@contextmanager
def written(descriptor: int, *, durable: bool) -> Iterator[FileWriter]:
    """A writer to this descriptor; at the end all is on the disk, if `durable`. Raises OSError."""
    with (
        ThreadPoolExecutor(1, thread_name_prefix="write") as writer,
        ThreadPoolExecutor(1, thread_name_prefix="flush") as flusher,
    ):
        file = FileWriter(descriptor, writer, flusher if durable else None)
        yield file
        file.wait()


def _write(descriptor: int, batch: list[Bytes]) -> None:
    done = os.writev(descriptor, batch)
    rest = memoryview(b"".join(batch))[done:] if done < sum(map(len, batch)) else memoryview(b"")
    while rest:
        rest = rest[os.write(descriptor, rest) :]
