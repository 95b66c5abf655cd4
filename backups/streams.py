"""A long answer, read in a thread of its own while it is sent."""

import asyncio
import logging
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

logger = logging.getLogger(__name__)

SCOPE_KEY = "savepoint.transfer"


class Stream:
    """An asynchronous iterator over pieces that are made synchronously, one at a time.

    The server awaits each before it makes the next, so a slow client slows the reading. `close`
    ends the reading, wherever it is; it may be called at any time, by any thread, and more than
    once. `closed` is called once, when it has ended.
    """

    def __init__(self, pieces: Iterator[bytes], *, closed: Callable[[], None]) -> None:
        self._pieces = pieces
        self._closed: Callable[[], None] | None = closed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stream")

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> bytes:
        loop = asyncio.get_running_loop()
        try:
            piece = await loop.run_in_executor(self._thread, next, self._pieces, None)
        except Exception:
            # Too late for an answer of another status: the client sees that bytes are missing.
            logger.exception("an answer that was being sent is broken off")
            self.close()
            raise
        if piece is None:
            self.close()
            raise StopAsyncIteration
        return piece

    def close(self) -> None:
        closed, self._closed = self._closed, None
        if closed is None:
            return
        try:
            if isinstance(self._pieces, Generator):
                self._thread.submit(self._pieces.close)  # after the piece that is being made
        finally:
            closed()
            self._thread.shutdown(wait=False)


class Transfer:
    """The stream that a call is answered with, if any; ends with the call, however that ends.

    The framework closes an answer only if it got to sending it, and forgets one that was still
    being prepared when the client left.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = False
        self._stream: Stream | None = None

    @property
    def has_begun(self) -> bool:
        return self._stream is not None

    def begin(self, stream: Stream) -> None:
        """This is the answer; closed at once if the call has ended meanwhile."""
        with self._lock:
            self._stream = stream
            ended = self._ended
        if ended:
            stream.close()

    def end(self) -> None:
        """The call has ended."""
        with self._lock:
            self._ended = True
        if self._stream is not None:
            self._stream.close()
