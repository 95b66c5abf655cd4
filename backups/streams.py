"""A long answer, read in a thread of its own while it is sent."""

import asyncio
import logging
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

logger = logging.getLogger(__name__)


class Stalled(Exception):
    """The client came back for more after it was given up."""


class Stream:
    """An asynchronous iterator over pieces that are made synchronously, one at a time.

    The server awaits each before it makes the next, so a slow client slows the reading; one that
    takes nothing for `patience` seconds ends it. `close` ends the reading, wherever it is; it may
    be called at any time, and more than once. `closed` is called once, when it has ended.
    """

    def __init__(
        self, pieces: Iterator[bytes], *, closed: Callable[[], None], patience: float
    ) -> None:
        self._pieces = pieces
        self._patience = patience
        self._waiting: asyncio.TimerHandle | None = None
        self._stalled = False
        self._closed: Callable[[], None] | None = closed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stream")

    def __del__(self) -> None:
        # Of an answer that nobody was left to send: the client went while it was being prepared.
        self.close()

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> bytes:
        loop = asyncio.get_running_loop()
        if self._waiting is not None:
            self._waiting.cancel()
        if self._stalled:
            raise Stalled
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
        self._waiting = loop.call_later(self._patience, self._give_up)
        return piece

    def _give_up(self) -> None:
        if self._closed is None:
            return
        logger.warning("a client has taken nothing of an answer for too long: it is broken off")
        self._stalled = True
        self.close()

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
