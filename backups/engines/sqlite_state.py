"""Whether a SQLite database has been written since it was looked at last, without opening it.

Where no -wal file with any bytes lies beside it, every commit writes to the database file, by a
call that sets the file's times to the moment of the call, before it lets readers in. So two looks
that find the same file (by device, number, length and times) had no commit between them, provided
that

- there was no such -wal file at either look: with one, a commit shows in the -shm file only,
  through memory and whenever its writer gets to it, perhaps long after its last write to any file;
- the times were well in the past at the first look: a later write gives others then, however
  coarse the clock of the file system is;
- the file system is one of this machine, that tells of every write at once;
- the machine has not been started again in between: a power failure may take back the times of a
  write, and leave what was written.

A transaction that is under way has written too, or writes at its commit, and locks readers out
until then; the rollback of a hot journal writes. The same idea, with the same caveat about times
that are too young, is git's index.
"""

import hashlib
import os
import re
import time
from pathlib import Path

from backups.errors import DatabaseUnreachable

# The coarsest clock of the file systems below ticks once a second.
SETTLED_SECONDS = 2.5
_LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "tmpfs", "overlay"}
_LOCAL |= {"squashfs", "erofs", "iso9660", "udf"}
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MOUNTS = Path("/proc/self/mountinfo")


def file_state(path: Path) -> str:
    """A text that is the same again as long as nobody has written to the database at `path`.

    Empty where that can't be told: beside a -wal file with bytes, too soon after a write, or on a
    file system that may tell of writes late. Raises DatabaseUnreachable.
    """
    try:
        mount = _mount_of(path)
        boot = _BOOT.read_text().strip()
        database = _look(path)
        wal = _look(path.with_name(path.name + "-wal"))
    except OSError as error:
        raise DatabaseUnreachable(f"the database cannot be reached: {error.strerror}") from error
    if not mount or database is None or wal is not None:
        return ""
    if max(database.st_mtime, database.st_ctime) > time.time() - SETTLED_SECONDS:
        return ""
    told = [boot, mount, _told(database)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def is_local(path: Path) -> bool:
    """Whether `path` is on a file system that tells of every write at once. Raises OSError."""
    return bool(_mount_of(path))


def _look(path: Path) -> os.stat_result | None:
    """None for a file that is missing or has no bytes: a -wal like that holds nothing."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found if found.st_size else None


def _told(look: os.stat_result) -> str:
    return f"{look.st_dev} {look.st_ino} {look.st_size} {look.st_mtime_ns} {look.st_ctime_ns}"


def _mount_of(path: Path) -> str:
    """The mount that holds `path`, if it is one of the file systems that can be trusted here.

    See proc_pid_mountinfo(5) for the fields of a line.
    """
    path = Path(os.path.realpath(path.parent)) / path.name
    found, longest, last = "", "", ""
    for line in _MOUNTS.read_text(errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        number, point, kind = before.split()[0], _unescaped(before.split()[4]), after.split()[0]
        if not path.is_relative_to(point):
            continue
        last = point
        # Of mounts on one point the last hides the others.
        if len(point) >= len(longest):
            found, longest = f"{number} {kind}" if kind in _LOCAL else "", point
    # One that came later on a folder above hides it, perhaps.
    return found if last == longest else ""


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
