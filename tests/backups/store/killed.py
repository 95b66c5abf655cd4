"""Running something in a process that is killed at a given step."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

KILLED = -signal.SIGKILL


def forked(work: Callable[[], int]) -> int:
    """The exit code of `work` in a child process, negative for a signal.

    No SQLite connection may be open here: a child that ends would drop its locks.
    """
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(step: int, work: Callable[[], object]) -> int:
    """Run `work` in a child that is sent SIGKILL at the given step of it; its exit code."""

    def run() -> int:
        _count_steps(step)
        work()
        sys.setprofile(None)
        return 0

    return forked(run)


def steps_of(work: Callable[[], object]) -> int:
    """How many steps `work` has: calls of a function, written in Python or in C, and returns."""
    reading, writing = os.pipe()

    def run() -> int:
        counted = _count_steps(None)
        work()
        sys.setprofile(None)
        os.write(writing, str(counted[0]).encode())
        return 0

    assert forked(run) == 0
    os.close(writing)
    with os.fdopen(reading) as pipe:
        return int(pipe.read())


def _count_steps(last: int | None) -> list[int]:
    counted = [0]

    def count(frame: FrameType, event: str, argument: Any) -> None:
        counted[0] += 1
        if counted[0] == last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    return counted
