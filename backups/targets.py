"""From a project to its database's engine and its place in the store."""

import os
from pathlib import Path

from django.conf import settings

from backups.engines.interface import Engine
from backups.engines.sqlite import SqliteEngine
from backups.errors import (
    DatabaseUnreachable,
    JobNotStarted,
    ObjectMissing,
    SafetyNotKept,
    StorageError,
)
from backups.pipeline import ProjectStore
from backups.store.local import LocalStore
from backups.store.seal import Keyring
from projects.databases import address_of, check_opened
from projects.errors import InvalidAddress
from projects.models import Project

# Taken for the page size until a version has told the true one.
USUAL_PAGE = 4096


def engine_of(project: Project) -> Engine:
    """The engine on the project's database. Made in a worker, never in a web process."""
    try:
        address = address_of(project)
    except InvalidAddress as error:
        raise DatabaseUnreachable(f"the project's database address: {error}") from error

    def admit(found: os.stat_result) -> None:
        try:
            check_opened(address, found)
        except InvalidAddress as error:
            raise DatabaseUnreachable(f"the project's database address: {error}") from error

    scratch = Path(settings.SCRATCH_DIR)
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SqliteEngine(
        address.path,
        lock_wait=settings.LOCK_WAIT_SECONDS,
        scratch=scratch,
        check_seconds=settings.CHECK_SECONDS,
        rights=project.database_rights,
        follow_links=address.managed,
        admit=admit,
    )


def note_rights(project: Project) -> None:
    """Keep in mind who may use the project's database, if it is there: when it is gone, a restore
    makes it anew for the same."""
    rights = engine_of(project).rights()
    if rights and rights != project.database_rights:
        # Not of another database, to which the project was pointed meanwhile.
        same = Project.objects.filter(pk=project.pk, sealed_address=project.sealed_address)
        same.update(database_rights=rights)


def engine_of_upload(path: Path) -> Engine:
    """The engine on a database file that was uploaded, and that nobody else opens."""
    return SqliteEngine(path, private=True, check_seconds=settings.CHECK_SECONDS)


def engine_of_file(path: Path) -> Engine:
    """The engine on a database of this machine that is no project's, and may be in use."""
    scratch = Path(settings.SCRATCH_DIR)
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SqliteEngine(path, lock_wait=settings.LOCK_WAIT_SECONDS, scratch=scratch)


def store_of(project: Project) -> ProjectStore:
    """The project's place in the store, with the keys to it."""
    return store_under(str(project.gid))


def store_under(gid: str) -> ProjectStore:
    """The place in the store of the project with this gid, which need not be listed."""
    return ProjectStore(
        store=LocalStore(Path(settings.STORE_DIR)),
        keyring=Keyring.parse(settings.STORE_KEYS),
        gid=gid,
        block_size=settings.BLOCK_BYTES,
        frame_size=settings.FRAME_BYTES,
        pack_size=settings.PACK_BYTES,
        cache=Path(settings.CACHE_DIR),
    )


def estimated_units(project: Project, unit_size: int | None) -> int:
    """How many units the project's database has, by its size alone, rounded up.

    Only looks the file up: a web process must not open a database that workers have open. Raises
    JobNotStarted if the database is not there.
    """
    try:
        size = os.lstat(address_of(project).path).st_size
    except InvalidAddress as error:
        raise JobNotStarted("backup", f"the project's database address: {error}") from error
    except FileNotFoundError as error:
        raise JobNotStarted("backup", "the project's database does not exist") from error
    except OSError as error:
        reason = f"the project's database can't be reached: {error.strerror}"
        raise JobNotStarted("backup", reason) from error
    return -(-size // (unit_size or USUAL_PAGE))


def check_store(*, process: str = "backup") -> None:
    """Raise JobNotStarted if the backup storage can't be written."""
    try:
        LocalStore(Path(settings.STORE_DIR)).check_writable()
    except StorageError as error:
        raise JobNotStarted(process, error.reason) from error


def check_keepable(project: Project) -> None:
    """Raise JobNotStarted if the project has a database, and the storage can't be written: what a
    restore would write over can't be kept then."""
    try:
        if address_of(project).path.exists():
            LocalStore(Path(settings.STORE_DIR)).check_writable()
    except StorageError as error:
        raise JobNotStarted("restore", SafetyNotKept(error.reason).reason) from error
    except (InvalidAddress, OSError):
        return  # the job will tell


def has_database(project: Project) -> bool:
    """Whether there is something at the project's address that a restore would write over."""
    try:
        return address_of(project).path.exists()
    except (InvalidAddress, OSError):
        return False


def check_stored(manifest_key: str, *, process: str = "restore") -> None:
    """Raise JobNotStarted if the storage can't be read, or has lost this version's manifest.

    To restore from a storage that can't be written, for want of room or of rights, must work.
    """
    try:
        LocalStore(Path(settings.STORE_DIR)).size(manifest_key)
    except StorageError as error:
        raise JobNotStarted(process, error.reason) from error


def check_readable(manifest_key: str) -> None:
    """Raise JobNotStarted if the storage can't be read. What it has lost is a job's to find."""
    try:
        LocalStore(Path(settings.STORE_DIR)).size(manifest_key)
    except ObjectMissing:
        return
    except StorageError as error:
        raise JobNotStarted("verify", error.reason) from error
