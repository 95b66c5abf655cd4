"""A module of ours in a process of its own, that the system limits and that can be killed.

What content from outside makes SQLite do, it does there: it may take no more memory and processor
time than is given, and whatever it does, it ends when it is not wanted any more.
"""

import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_TICK_SECONDS = 0.1
_MOST_TOLD = 1 << 26
_SET_PARENT_DEATH_SIGNAL = 1
_KEPT = ("PATH", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "LD_PRELOAD")


class GivenUp(Exception):
    """The process took more than it was given, or broke down."""


def told_by(
    module: str, arguments: Sequence[str], *, tick: Callable[[], None], stall_seconds: float
) -> Any:
    """What the module's process says at its end, as it was given to `tell`.

    `tick` is called on the way; what it raises ends the process. It is given up when it gives no
    sign of life (`alive`) for so long. Raises GivenUp.
    """
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=_ROOT,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
        ) as process,
    ):
        try:
            told = _heard(process, tick, stall_seconds)
        except BaseException:
            process.kill()
            raise
        if process.wait() == 1:  # a fault of ours
            complaints.seek(0)
            raise RuntimeError(complaints.read()[-2000:].decode("utf-8", "replace"))
        if process.returncode:
            raise GivenUp
    return json.loads(told.splitlines()[-1])


def _heard(
    process: subprocess.Popen[bytes], tick: Callable[[], None], stall_seconds: float
) -> bytes:
    assert process.stdout is not None
    source, told, last = process.stdout.fileno(), b"", time.monotonic()
    while True:
        ready, _, _ = select.select([source], [], [], _TICK_SECONDS)
        if ready:
            piece = os.read(source, 1 << 16)
            if not piece:
                return told
            # Only the end of what is told counts; signs of life are empty lines.
            told = (told + piece).lstrip(b"\n")
            if len(told) > _MOST_TOLD:
                raise GivenUp
            last = time.monotonic()
        elif time.monotonic() - last > stall_seconds:
            raise GivenUp
        tick()


def limit(*, memory: int, seconds: int) -> None:
    """Limit this process: bytes of address space, and processor time. It ends with its parent."""
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def alive() -> None:
    """Give a sign of life."""
    os.write(sys.stdout.fileno(), b"\n")


def tell(what: Any) -> None:
    """Tell whoever started this process, at its end."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()
