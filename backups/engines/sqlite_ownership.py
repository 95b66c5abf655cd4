"""Who could use the files that SQLite would make beside a database, and making the right ones.

SQLite makes a -wal, -shm or -journal with the database's mode. Only for root does it also give
them the database's owner; for others they belong to the user who happens to open the database, and
to the group of the folder, if that is setgid, or of this user. If another program's user can't read
and write them, that program can't write the database any more, or not even open it: for as long as
they are there, and after a killed process that is for good.

So Savepoint works out beforehand which owner, group and mode such a file would get, and whether all
who may use the database could use it (`usable`). Where only its group or access list would be
wrong, the right file is made under another name first and linked into place (`Beside.place`);
SQLite uses what is there. See `findCreateFileMode`, `robust_open` and `robustFchown` in SQLite's
os_unix.c.
"""

import errno
import os
import pwd
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from backups.engines.sqlite_leftovers import BESIDE, made_here, remove_abandoned
from backups.errors import DatabaseFull, DatabaseUnreachable

WAL, SHM, JOURNAL = "-wal", "-shm", "-journal"

_ROOT = 0
_READ_AND_WRITE = 6
_WRITE = 2
_ACCESS_LIST = "system.posix_acl_access"
_STATUS = Path("/proc/self/status")
_DEFAULT_LIST = "system.posix_acl_default"


class Rights(NamedTuple):
    """Owner, group and permission bits of a file."""

    uid: int
    gid: int
    mode: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Rights":
        """Those of a file that was looked at."""
        return cls(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode) & 0o777)

    @classmethod
    def parse(cls, text: str) -> "Rights":
        """The reverse of `str`; raises ValueError."""
        uid, gid, mode = text.split(":")
        return cls(int(uid), int(gid), int(mode, 8) & 0o777)

    def __str__(self) -> str:
        return f"{self.uid}:{self.gid}:{self.mode:o}"

    @property
    def of_owner(self) -> int:
        """What the owner may, as three bits."""
        return self.mode >> 6 & 7

    @property
    def of_group(self) -> int:
        """What the group may, as three bits."""
        return self.mode >> 3 & 7

    @property
    def of_others(self) -> int:
        """What all others may, as three bits."""
        return self.mode & 7


def attainable(wanted: Rights, folder: os.stat_result) -> Rights:
    """What this process can give a new file in `folder` that should have the `wanted` rights."""
    if os.geteuid() == _ROOT:
        return wanted
    inherited = folder.st_gid if folder.st_mode & stat.S_ISGID else os.getegid()
    own = {inherited, os.getegid(), *os.getgroups()}
    return Rights(os.geteuid(), wanted.gid if wanted.gid in own else inherited, wanted.mode)


def usable(made: Rights, database: Rights, folder: os.stat_result) -> bool:
    """Whether all who may write the database could use a file in its folder that has the rights
    `made`, and none but those who may read the database could read it."""
    if made.uid != database.uid and database.uid != _ROOT:
        member = _is_member(database.uid, made.gid, folder)
        if member is None:
            bits = made.of_group & made.of_others
        else:
            bits = made.of_group if member else made.of_others
        if database.of_owner & ~bits & _READ_AND_WRITE:
            return False
        # In a folder with the sticky bit only a file's owner and the folder's can delete it.
        if folder.st_mode & stat.S_ISVTX and folder.st_uid != database.uid:
            return False
    if made.gid == database.gid:
        return True
    if made.uid == database.uid:
        # Its own programs make the same file. Those who may only read the database can do without.
        return not database.of_group & ~database.of_others & _WRITE
    return database.of_group & _READ_AND_WRITE == database.of_others & _READ_AND_WRITE


def _is_member(uid: int, gid: int, folder: os.stat_result) -> bool | None:
    """Whether the user is in the group; None where that can't be told."""
    with suppress(KeyError, OSError):
        user = pwd.getpwuid(uid)
        if gid in os.getgrouplist(user.pw_name, user.pw_gid):
            return True
    # Who may not create files in the folder can't write the database anyway.
    if folder.st_gid == gid and folder.st_uid != uid and not folder.st_mode & stat.S_IWOTH:
        return True
    try:
        pwd.getpwuid(uid)
    except KeyError:  # a user of another container, perhaps
        return None
    return False


def access_list(path: Path, kind: str = _ACCESS_LIST) -> bytes | None:
    """The access list that a file has beyond its mode; None for none."""
    try:
        return os.getxattr(path, kind, follow_symlinks=kind != _ACCESS_LIST)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP, errno.EPERM, errno.EACCES):
            return None
        raise


class Beside:
    """The files beside one database that are, or would be, SQLite's."""

    def __init__(self, path: Path) -> None:
        """Raises DatabaseUnreachable when the database or its folder can't be looked at."""
        self.path = path
        try:
            self.database = Rights.of(os.lstat(path))
            self._folder = os.stat(path.parent)
            self._list = access_list(path)
            inherits = access_list(path.parent, _DEFAULT_LIST) is not None
        except OSError as error:
            raise DatabaseUnreachable(
                f"the database cannot be reached: {error.strerror}"
            ) from error
        self.made = attainable(self.database, self._folder)
        # Named users' rights are not looked into: those of the owner are enough then.
        listed = self._list is not None and self.made.uid != self.database.uid
        self.usable = not listed and usable(self.made, self.database, self._folder)
        by_sqlite = Rights(
            os.geteuid(),
            self._folder.st_gid if self._folder.st_mode & stat.S_ISGID else os.getegid(),
            self.database.mode & ~_umask(),  # SQLite sets the mode a moment later
        )
        #: Whether what SQLite makes by itself is right.
        self.plain = self.usable and by_sqlite == self.made and self._list is None and not inherits

    def file(self, suffix: str) -> Path:
        """Where SQLite keeps it."""
        return self.path.with_name(self.path.name + suffix)

    def found(self, suffix: str) -> os.stat_result | None:
        """What stands there; None for nothing. Raises DatabaseUnreachable."""
        try:
            return os.lstat(self.file(suffix))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DatabaseUnreachable(
                f"the database cannot be reached: {error.strerror}"
            ) from error

    def missing(self, suffixes: Iterable[str]) -> list[str]:
        """Those that are not there."""
        return [suffix for suffix in suffixes if self.found(suffix) is None]

    def is_hot(self) -> bool:
        """Whether a -journal is there with anything in it, or may be. One that is done with begins
        with a zero. SQLite puts no locks on it, so it may be opened. Raises DatabaseUnreachable."""
        found = self.found(JOURNAL)
        if found is None or not found.st_size:
            return False
        if not stat.S_ISREG(found.st_mode):
            return True
        try:
            descriptor = os.open(self.file(JOURNAL), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        try:
            return os.pread(descriptor, 1, 0) not in (b"", b"\0")
        finally:
            os.close(descriptor)

    def unfit(self, suffix: str) -> bool:
        """Whether a file is there that this process's user made, and others can't use as they can
        the database."""
        found = self.found(suffix)
        return found is not None and self._is_unfit(found)

    def mend(self, suffix: str) -> None:
        """Give such a file, which SQLite has not opened yet, the rights that it needs. Raises
        OSError."""
        descriptor = os.open(
            self.file(suffix), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
        try:
            found = os.fstat(descriptor)
            # Whoever may write the folder could have put the name of another file of ours there.
            if found.st_nlink == 1 and self._is_unfit(found):
                give(descriptor, self.made)
        finally:
            os.close(descriptor)

    def _is_unfit(self, found: os.stat_result) -> bool:
        return (
            stat.S_ISREG(found.st_mode)
            # What root makes is given to the owner at once.
            and _ROOT != found.st_uid == os.geteuid() != self.database.uid
            and not usable(Rights.of(found), self.database, self._folder)
        )

    def other_names(self) -> list[Path] | None:
        """Other names of the database's file (hard links) in its folder; there may be more
        elsewhere. None if it has no other name. Raises DatabaseUnreachable."""
        try:
            if os.lstat(self.path).st_nlink == 1:
                return None
            remove_abandoned(self.path)  # a restore that was killed while it gave it its name
            database = os.lstat(self.path)
            if database.st_nlink == 1:
                return None
            with os.scandir(self.path.parent) as entries:
                return [
                    self.path.with_name(entry.name)
                    for entry in entries
                    if entry.inode() == database.st_ino and entry.name != self.path.name
                ]
        except OSError as error:
            raise DatabaseUnreachable(
                f"the database cannot be reached: {error.strerror}"
            ) from error

    def folder_allows(self) -> bool:
        """Whether this process may create and delete files beside the database."""
        return os.access(self.path.parent, os.W_OK | os.X_OK, effective_ids=True)

    def allows(self, wanted: int, suffix: str = "") -> bool:
        """Whether this process may read (os.R_OK) or write (os.W_OK) the database, or the file
        beside it."""
        return os.access(self.file(suffix), wanted, effective_ids=True)

    def may_delete(self, suffix: str) -> bool:
        """Whether this process may delete what stands there."""
        if not self.folder_allows():
            return False
        found = self.found(suffix)
        if found is None or not self._folder.st_mode & stat.S_ISVTX or os.geteuid() == _ROOT:
            return True
        return os.geteuid() in (found.st_uid, self._folder.st_uid)

    def place(self, suffixes: Iterable[str]) -> None:
        """Put an empty file, with the rights that it needs, where one is missing and what SQLite
        would make is not right. SQLite takes an empty one for none.

        Raises SourceError when that can't be.
        """
        if self.plain:
            return
        remove_abandoned(self.path)
        for suffix in self.missing(suffixes):
            self._place(self.file(suffix))

    def _place(self, target: Path) -> None:
        try:
            # Closed before SQLite can have it open in this process: see sqlite_connection.
            descriptor, made = tempfile.mkstemp(
                dir=target.parent, prefix=made_here(self.path, BESIDE)
            )
            try:
                try:
                    _list(descriptor, self._list)
                    give(descriptor, self.made)
                finally:
                    os.close(descriptor)
                with suppress(FileExistsError):  # another program made it meanwhile
                    os.link(made, target)
            finally:
                os.unlink(made)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DatabaseFull("no room is left where the database lives") from error
            raise DatabaseUnreachable(
                "a file that SQLite needs beside the database can't be given the database's owner"
                f" and group: {error.strerror}"
            ) from error


def _umask() -> int:
    """This process's, without setting another for a moment, as other threads may make files."""
    try:
        told = _STATUS.read_text()
    except FileNotFoundError:
        return 0o777
    return next(int(line.split()[1], 8) for line in told.splitlines() if line.startswith("Umask"))


def give(descriptor: int, rights: Rights) -> None:
    """Give an open file owner, group and mode. Raises OSError.

    Never by its name: who may write the folder could put another file there, and have it given.
    """
    found = os.fstat(descriptor)
    if (found.st_uid, found.st_gid) != (rights.uid, rights.gid):
        # To name the present owner too takes more than the right to change the group.
        os.fchown(descriptor, rights.uid if found.st_uid != rights.uid else -1, rights.gid)
    os.fchmod(descriptor, rights.mode)


def _list(descriptor: int, entries: bytes | None) -> None:
    """Give a file this access list, or none. Raises OSError."""
    if entries is not None:
        os.setxattr(descriptor, _ACCESS_LIST, entries)
        return
    try:
        os.removexattr(descriptor, _ACCESS_LIST)  # what it has from the folder
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.ENOTSUP):
            raise
