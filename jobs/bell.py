"""Wakes the processes of this machine that wait for something, within milliseconds.

A bell is a hint and never the truth: whoever waits also looks by itself now and then. Each waiting
process binds a datagram socket below the run folder; to ring is to send a byte to all of them.
"""

import contextlib
import logging
import os
import secrets
import select
import socket
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)

WORKERS = "workers"
FEEDS = "feeds"


@contextlib.contextmanager
def _folder(name: str) -> Iterator[tuple[Path, str]]:
    """The bell's folder, and the same by a path short enough for a socket (108 bytes)."""
    folder = Path(settings.RUN_DIR) / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield folder, f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def ring(name: str) -> None:
    """Wake all that wait for this bell. Never raises: what it tells of has been committed."""
    try:
        with (
            _folder(name) as (folder, short),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
        ):
            sender.setblocking(False)
            for entry in os.listdir(folder):
                _ring_one(sender, folder / entry, f"{short}/{entry}")
    except OSError:
        logger.warning("can't wake who waits for %s; they will find it by polling", name)


def _ring_one(sender: socket.socket, path: Path, short: str) -> None:
    try:
        sender.sendto(b"!", short)
    except (ConnectionRefusedError, FileNotFoundError):
        # Nobody listens there any more.
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return  # its queue is full of rings already


class Bell:
    """A process's ear. Make it in the process that waits, after any fork.

    Where it can't be heard by, as the run folder can't be written, it waits all the same: its owner
    looks by itself now and then.
    """

    _path: Path | None = None

    def __init__(self, name: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        entry = f"{os.getpid()}-{secrets.token_hex(4)}"
        try:
            with _folder(name) as (folder, short):
                self.socket.bind(f"{short}/{entry}")
                self._path = folder / entry
        except OSError:
            logger.warning("the bell %s can't be heard", name, exc_info=True)

    def clear(self) -> None:
        """Forget the rings so far. Clear first, then look: a ring in between is kept."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.socket.recv(1)

    def wait(self, seconds: float) -> None:
        """Return when somebody rings, or after this time."""
        select.select([self.socket], [], [], seconds)
        self.clear()

    def close(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self.socket.close()
