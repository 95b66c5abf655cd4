"""Where a project's database is: its address, sealed at rest, and what an address may be."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from projects.errors import InvalidAddress
from projects.models import Project

MANAGED = "sqlite:managed"
SQLITE_PREFIX = "sqlite:///"
_OWN = "Savepoint's own files are no project's database"
_MOST_LINKS = 40


@dataclass(frozen=True)
class SqliteAddress:
    """A SQLite file; `managed` when it lies in Savepoint's own data folder.

    No symbolic link is on `path`; `link_owners` are the users whose links led to it.
    """

    path: Path
    managed: bool
    link_owners: frozenset[int] = frozenset()


def cipher() -> MultiFernet:
    """Seals what is kept of addresses, and opens it; raises ImproperlyConfigured."""
    try:
        return MultiFernet([Fernet(key.strip()) for key in settings.ADDRESS_KEYS])
    except ValueError as error:
        raise ImproperlyConfigured("ADDRESS_KEYS: each must be 32 bytes in base64") from error


def seal_address(address: str, gid: UUID) -> str:
    """The address as it is kept in Savepoint's own database, good for the project of this gid."""
    return cipher().encrypt(f"{gid} {address}".encode()).decode()


def open_address(project: Project) -> str:
    """The project's address as it was given. Never log it: it may hold a password."""
    try:
        text = cipher().decrypt(project.sealed_address.encode()).decode()
    except InvalidToken as error:
        raise ImproperlyConfigured(
            "a project's database address was sealed with a key that ADDRESS_KEYS lacks"
        ) from error
    gid, _, address = text.partition(" ")
    # Else whoever can write in our database could point a project at another one's.
    if gid != str(project.gid):
        raise ImproperlyConfigured("a project's database address was not sealed for this project")
    return address


def managed_path(project: Project) -> Path:
    """The file of a database that Savepoint keeps itself."""
    return Path(settings.MANAGED_DATABASES_DIR) / f"{project.gid}.sqlite3"


def check_address(address: str) -> None:
    """Raise InvalidAddress unless this is an address that a project may have."""
    if "\0" in address or any("\ud800" <= character <= "\udfff" for character in address):
        raise InvalidAddress("an address has characters that no address can have")
    if address != MANAGED:
        _outside_path(address)


def address_of(project: Project) -> SqliteAddress:
    """The project's address, read; raises InvalidAddress if it is no longer allowed."""
    address = open_address(project)
    if address == MANAGED:
        return SqliteAddress(managed_path(project), managed=True)
    path, link_owners = _outside_path(address)
    return SqliteAddress(path, managed=False, link_owners=link_owners)


def check_opened(address: SqliteAddress, found: os.stat_result) -> None:
    """Raise InvalidAddress if the file that was opened at an address must not be a project's.

    By what it is, as others may have given one of Savepoint's own files another name (a hard link),
    or have led to another's database by a symbolic link of their own.
    """
    if address.managed:
        return
    if not address.link_owners <= {0, os.geteuid(), found.st_uid}:
        raise InvalidAddress(
            "a symbolic link leads to a file that is not its owner's; name the file itself"
        )
    control = str(settings.DATABASES["default"]["NAME"])
    names = [Path(control + suffix) for suffix in ("", "-wal", "-shm")]
    if found.st_nlink > 1:
        own = (
            settings.DATA_DIR,
            settings.KEY_DIR,
            settings.RUN_DIR,
            settings.SCRATCH_DIR,
            Path(settings.SCRATCH_DIR) / "imports",
            settings.MANAGED_DATABASES_DIR,
        )
        names += [file for folder in own for file in _files_in(Path(folder))]
    if any(_is(file, found) for file in names):
        raise InvalidAddress(_OWN)


def _files_in(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _is(file: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(file), found)
    except FileNotFoundError:
        return False


def _outside_path(address: str) -> tuple[Path, frozenset[int]]:
    if not address.startswith(SQLITE_PREFIX):
        raise InvalidAddress(f"an address is {MANAGED} or {SQLITE_PREFIX}/absolute/path")
    # Links are resolved before the check: the root must hold the file itself, not a way out.
    path, link_owners = _resolved("/" + address.removeprefix(SQLITE_PREFIX).lstrip("/"))
    if not any(path.is_relative_to(root) for root in settings.SQLITE_ROOTS):
        raise InvalidAddress("a SQLite file must lie under one of the folders in SQLITE_ROOTS")
    own = (
        settings.DATA_DIR,
        settings.KEY_DIR,
        settings.STORE_DIR,
        settings.RUN_DIR,
        settings.CACHE_DIR,
    )
    control = settings.DATABASES["default"]["NAME"]
    if any(path.is_relative_to(folder) for folder in own) or str(path) == os.path.realpath(control):
        raise InvalidAddress(_OWN)
    return path, link_owners


def _resolved(path: str) -> tuple[Path, frozenset[int]]:
    """The path without symbolic links, and the users whose links they were.

    A link is read by the descriptor whose owner is told, as it may be exchanged for another's. What
    becomes a link afterwards is found by whoever opens the file, who follows none.
    """
    try:
        return _without_links(path)
    except OSError as error:
        raise InvalidAddress(f"the address can't be followed: {error.strerror}") from error


def _without_links(path: str) -> tuple[Path, frozenset[int]]:
    resolved, owners, followed = Path("/"), set(), 0
    ahead = list(reversed(Path(path).parts[1:]))
    while ahead:
        name = ahead.pop()
        if name == "..":
            resolved = resolved.parent
            continue
        resolved /= name
        try:
            descriptor = os.open(resolved, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            continue  # it may be made later
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISLNK(found.st_mode):
                continue
            target = Path(os.readlink("", dir_fd=descriptor))
        finally:
            os.close(descriptor)
        followed += 1
        if followed > _MOST_LINKS:
            raise InvalidAddress("the address leads in a circle of symbolic links")
        owners.add(found.st_uid)
        resolved = Path("/") if target.is_absolute() else resolved.parent
        ahead += reversed(target.parts[1:] if target.is_absolute() else target.parts)
    return resolved, frozenset(owners)


def make_managed_database(project: Project) -> None:
    """Make the project's empty database file, if its database is a managed one.

    An empty file is an empty SQLite database; made without SQLite, as nobody can have it open.
    """
    if open_address(project) != MANAGED:
        return
    path = managed_path(project)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return


def remove_managed_database(project: Project) -> None:
    """Delete the project's database with what SQLite keeps beside it, if it is a managed one."""
    if open_address(project) != MANAGED:
        return
    path = managed_path(project)
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
