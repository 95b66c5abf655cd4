"""Whether a SQLite database has been written since it was looked at last, told without opening it.

Every commit writes to the database file, or to the -wal file beside it, by a call that sets the
file's times to the moment of the call. So two looks that find the same files (by device, number,
length and times; of a -wal file also by its header, whose salts change each time that it is begun
anew) had no commit between them, provided that

- the times were well in the past at the first look: a later write gives others then, however
  coarse the clock of the file system is;
- the file system is one of this machine, that tells of every write at once;
- the machine has not been started again in between: a power failure may take back the times of a
  write, and leave what was written.

A transaction that is under way has written too, or writes at its commit; the rollback of a hot
journal writes. Only the -shm file is written through memory, and it holds nothing of the content.
Of the database file the time of change counts too, which nobody can put back; not of the -wal file,
as SQLite sets its owner whenever root opens it.
The same idea, with the same caveat about times that are too young, is git's index.
"""

import hashlib
import os
import re
import time
from pathlib import Path

from backups.errors import DatabaseUnreachable

# The coarsest clock of the file systems below ticks once a second.
SETTLED_SECONDS = 2.5
_WAL_HEADER_SIZE = 32
_LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "tmpfs", "overlay"}
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MOUNTS = Path("/proc/self/mountinfo")


def file_state(path: Path) -> str:
    """A text that is the same again as long as nobody has written to the database at `path`.

    Empty where that can't be told: too soon after a write, or on a file system that may tell of
    writes late. Raises DatabaseUnreachable.
    """
    try:
        mount = _mount_of(path)
        if not mount:
            return ""
        boot = _BOOT.read_text().strip()
        wal_path = path.with_name(path.name + "-wal")
        database, wal = _look(path), _look(wal_path)
        # Unlike the database file, it can be opened beside SQLite: no locks lie on it.
        beside = f"{_told(wal)} {_header(wal_path)}" if wal else ""
    except FileNotFoundError:
        return ""  # closed at this very moment
    except OSError as error:
        raise DatabaseUnreachable(f"the database cannot be reached: {error.strerror}") from error
    if database is None:
        return ""
    youngest = max(database.st_mtime, database.st_ctime, wal.st_mtime if wal else 0.0)
    if youngest > time.time() - SETTLED_SECONDS:
        return ""
    told = [boot, mount, _told(database), str(database.st_ctime_ns), beside]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _look(path: Path) -> os.stat_result | None:
    """None for a file that is missing or has no bytes: a -wal like that holds nothing."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found if found.st_size else None


def _told(look: os.stat_result) -> str:
    return f"{look.st_dev} {look.st_ino} {look.st_size} {look.st_mtime_ns}"


def _header(wal: Path) -> str:
    with open(wal, "rb") as file:
        return file.read(_WAL_HEADER_SIZE).hex()


def _mount_of(path: Path) -> str:
    """The mount that holds `path`, if it is one of the file systems that can be trusted here.

    See proc_pid_mountinfo(5) for the fields of a line.
    """
    found, length = "", -1
    for line in _MOUNTS.read_text(errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        number, point, kind = before.split()[0], _unescaped(before.split()[4]), after.split()[0]
        # Of mounts on one point the last hides the others.
        if path.is_relative_to(point) and len(point) >= length:
            found, length = f"{number} {kind}" if kind in _LOCAL else "", len(point)
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
