"""The look at a snapshot for its facts and for damage, which may run beside its reading."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any


class _NotWanted(Exception):
    """Nobody waits for what is found any more."""


class Look:
    """Finds the facts of a snapshot once, in a thread of its own; `close` it before what it looks
    at goes away."""

    def __init__(self, find: Callable[[Callable[[], None]], dict[str, Any]]) -> None:
        """`find` is given a function to call on the way, and passes on what that raises."""
        self._find = find
        self._closed = threading.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="facts")
        self._found: Future[dict[str, Any]] | None = None

    def begin(self) -> None:
        """Begin, if that has not been done."""
        if self._found is None:
            self._found = self._thread.submit(self._find, self._tick)

    def facts(self) -> dict[str, Any]:
        """What was found. Raises what `find` raises."""
        self.begin()
        assert self._found is not None
        return self._found.result()

    def wait(self) -> None:
        """Wait until nothing is looked at, if it was begun; whatever was found."""
        if self._found is not None:
            wait([self._found])

    def close(self) -> None:
        """Find no more, and wait until nothing is looked at."""
        self._closed.set()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _tick(self) -> None:
        if self._closed.is_set():
            raise _NotWanted
