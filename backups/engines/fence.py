"""Work on files that others control, in a thread that the kernel keeps to one folder (Landlock).

Whoever may write in a folder can exchange what stands at a name between a look and its use. A
fenced thread can't open, make or remove anything outside of the folder, whatever names lead to. The
fence stays on a thread for good, so each piece of work has a thread of its own; the others stay
free. See https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import cache
from pathlib import Path
from typing import TypeVar

from backups.errors import DatabaseUnreachable

T = TypeVar("T")

# The numbers of system calls since 2011 are the same for all kinds of processors.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_TELL_VERSION = 1
_PATH_BENEATH = 1
_SET_NO_NEW_PRIVILEGES = 38
# Rights to files and folders, by their bit.
_WRITE_FILE, _READ_FILE, _READ_FOLDER, _REMOVE_FILE, _MAKE_FILE, _TRUNCATE = 1, 2, 3, 5, 8, 14
# How many bits the versions know; later ones add none that matters here.
_BITS = {1: 13, 2: 14}
_BITS_SINCE_3 = 15
_RANDOM = Path("/dev/urandom")
_interrupted: set[threading.Thread] = set()


@cache
def fences() -> bool:
    """Whether this machine's kernel can fence."""
    return _version() > 0


def fenced(folder: Path, work: Callable[[], T]) -> T:
    """Do `work`, which may use files in `folder` only, whatever its name stands for by now if it is
    one of /proc/self/fd; without a fence where the kernel has none.

    In a thread of its own, so `work` must import nothing. Whatever interrupts the waiting is raised
    when the work has ended. Raises what `work` raises, and DatabaseUnreachable.
    """
    if not fences():
        return work()
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            _fence(folder)
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    thread = threading.Thread(target=run, name="fenced", daemon=True)
    thread.start()
    interruption: BaseException | None = None
    while not outcome.done():
        try:
            wait([outcome])
        except BaseException as error:  # raised by a signal
            interruption = error
            _interrupted.add(thread)
    _interrupted.discard(thread)
    if interruption is not None:
        raise interruption from outcome.exception()
    return outcome.result()


def fence_for_good(folder: Path) -> None:
    """Fence this thread, where the kernel can; others that it starts later, too. Raises
    DatabaseUnreachable."""
    if fences():
        _fence(folder)


def interrupted() -> bool:
    """Whether whoever waits for this thread's fenced work was interrupted, and it had better end
    early."""
    return threading.current_thread() in _interrupted


@cache
def _system() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@cache
def _version() -> int:
    """0 where there is none, or where it is switched off."""
    return max(0, int(_system().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _TELL_VERSION)))


def _fence(folder: Path) -> None:
    handled = (1 << _BITS.get(_version(), _BITS_SINCE_3)) - 1
    inside = handled & _rights(
        _READ_FILE, _WRITE_FILE, _READ_FOLDER, _REMOVE_FILE, _MAKE_FILE, _TRUNCATE
    )
    try:
        rules = _called(_CREATE_RULESET, struct.pack("Q", handled), ctypes.c_size_t(8), 0)
        try:
            _allow(rules, folder, inside)
            _allow(rules, _RANDOM, _rights(_READ_FILE))  # SQLite's, once in a process
            if _system().prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "no new privileges")
            _called(_RESTRICT_SELF, rules, 0)
        finally:
            os.close(rules)
    except OSError as error:
        raise DatabaseUnreachable(
            "what is done in the database's folder can't be kept to it:"
            f" {os.strerror(error.errno or 0)}"
        ) from error


def _allow(rules: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _called(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)


def _rights(*bits: int) -> int:
    return sum(1 << bit for bit in bits)


def _called(number: int, *arguments: object) -> int:
    result = int(_system().syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), "Landlock")
    return result
