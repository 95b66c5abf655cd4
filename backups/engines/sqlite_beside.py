"""What others may have put where SQLite will look beside a database, looked at before it does.

SQLite believes a rollback journal that it finds. One that names a super-journal, as transactions
over several databases leave, has SQLite delete the file of that name, wherever it is. And it uses a
-wal, -shm or -journal by whatever is there by the name.

Whoever may write the folder may exchange these files after the look, so SQLite's first look at them
is fenced too, where the kernel can do that: see `fence`.
"""

import os
import stat
from pathlib import Path

from backups.engines.sqlite_file import descriptors_of
from backups.errors import DatabaseBusy, DatabaseUnreachable

_SUFFIXES = ("-journal", "-wal", "-shm")
# See `readSuperJournal` in SQLite's pager.c: name, its length, a checksum, and the magic number.
_MAGIC = bytes.fromhex("d9d505f920a163d7")
_TAIL = 16

NAMES_ANOTHER = (
    "a program was killed while it wrote several databases at once, and the journal that it left"
    " beside the database names a file that SQLite would delete; open the database with one of its"
    " own programs once, or delete the journal if nobody knows where it is from"
)
NOT_A_FILE = (
    "what stands beside the database as its -journal, -wal or -shm is not a file of its own, but a"
    " link or something else; remove it while no program uses the database"
)
EXCHANGED = "what lies beside the database was exchanged while it was opened; try again"


def check_beside(path: Path) -> None:
    """Raise DatabaseUnreachable if SQLite must not come upon what lies beside the database."""
    for suffix in _SUFFIXES:
        file = path.with_name(path.name + suffix)
        try:
            found = os.lstat(file)
            # With no name left, it was removed meanwhile.
            if not stat.S_ISREG(found.st_mode) or (found.st_nlink > 1 and not _placed(file)):
                raise DatabaseUnreachable(NOT_A_FILE)
            if suffix == "-journal" and found.st_size and _names_super_journal(file):
                raise DatabaseUnreachable(NAMES_ANOTHER)
        except FileNotFoundError:
            continue
        except PermissionError:
            continue  # SQLite can't open it either
        except OSError as error:
            raise DatabaseUnreachable(
                f"the database cannot be reached: {error.strerror}"
            ) from error


def check_opened_beside(path: Path) -> None:
    """Raise DatabaseBusy unless the -wal and -shm that this process has open are those beside the
    database at `path`, after the first read in WAL mode."""
    for suffix in _SUFFIXES[1:]:
        try:
            found = os.lstat(path.with_name(path.name + suffix))
        except OSError:
            continue  # in a mode that needs none
        if not stat.S_ISREG(found.st_mode) or not descriptors_of(found):
            raise DatabaseBusy(EXCHANGED)


def _placed(file: Path) -> bool:
    """Whether the other name is that of a file that is being put into place: see `Beside`."""
    found = os.lstat(file)
    if found.st_nlink == 1:
        return True
    with os.scandir(file.parent) as entries:
        names = [entry.name for entry in entries if entry.inode() == found.st_ino]
    return len(names) == found.st_nlink


def _names_super_journal(journal: Path) -> bool:
    descriptor = os.open(journal, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        if size < _TAIL or os.pread(descriptor, 1, 0) in (b"", b"\0"):
            return False  # done with
        tail = os.pread(descriptor, _TAIL, size - _TAIL)
        return tail[8:] == _MAGIC and 0 < int.from_bytes(tail[:4], "big") <= size - _TAIL
    finally:
        os.close(descriptor)
