"""Keeps child processes running: a web server, a worker cluster.

Each child leads a session of its own, and signals go to leaders only: a signal that hits the
processes of a cluster one by one leaves it hanging (seen with django-q2 1.11). A child that ends is
started again after what is left of its group was killed. If the supervisor itself is killed, the
kernel ends the leaders.
"""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# A child that ran for so long before it died was well: it starts again without a pause.
STEADY_SECONDS = 60.0
# Loaded here, as little as possible may happen between a fork and its exec.
LIBC = ctypes.CDLL(None)


def _end_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """A process to keep running. `stop_seconds`: how long it may take to end when asked to."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: float = 20.0
    before_stop: Callable[[], None] | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    pause: float = FIRST_PAUSE_SECONDS

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            env=os.environ | dict(self.environment),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        self.started_at = time.monotonic()

    def signal_leader(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill_group(self) -> None:
        """End at once whatever is left of the child's session."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None


class Supervisor:
    """Runs the children until TERM or INT, then ends them in the reverse order."""

    def __init__(self, children: Sequence[Child], look_seconds: float = 0.2) -> None:
        self.children = children
        self.look_seconds = look_seconds
        self.stopping = False

    def run(self, each_round: Callable[[], None] = lambda: None) -> None:
        """Start the children and keep them; returns when all have ended after TERM or INT.

        Call it from the main thread: signals arrive there, and the kernel ties the children's
        lives to the thread that started them.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        for child in self.children:
            child.start()
        while not self.stopping:
            time.sleep(self.look_seconds)
            for child in self.children:
                self._keep(child)
            if not self.stopping:
                each_round()
        self._stop_all()

    def restart(self, child: Child) -> None:
        """End the child's whole group at once; the next round starts it again."""
        child.kill_group()

    def _ask_to_stop(self, number: int, frame: object) -> None:
        self.stopping = True

    def _keep(self, child: Child) -> None:
        now = time.monotonic()
        if child.has_ended():
            assert child.process is not None
            logger.error("%s ended with %s: starting again", child.name, child.process.returncode)
            child.kill_group()
            child.process = None
            child.pause = (
                FIRST_PAUSE_SECONDS
                if now - child.started_at > STEADY_SECONDS
                else min(child.pause * 2, LONGEST_PAUSE_SECONDS)
            )
            child.start_at = now + child.pause
        elif child.process is None and now >= child.start_at:
            child.start()

    def _stop_all(self) -> None:
        for child in reversed(self.children):
            if child.before_stop is not None:
                child.before_stop()
            child.signal_leader(signal.SIGTERM)
        deadline = time.monotonic() + max(child.stop_seconds for child in self.children)
        for child in reversed(self.children):
            if child.process is None:
                continue
            try:
                child.process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.error("%s did not end in time: killed", child.name)
            child.kill_group()


def python(*arguments: str) -> list[str]:
    """A command that runs this interpreter."""
    return [sys.executable, *arguments]
