"""Files that killed workers left: half-made databases and other files beside one, and temporary
copies."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backups.errors import DatabaseUnreachable

# The purpose of a temporary file beside a database, which is a part of its name.
RESTORING, BESIDE = "restoring", "beside"

# Temporary copies of all projects lie in one folder; another one's job may still use its own.
_SCRATCH_SECONDS = 86400.0
_COPY = "savepoint-"
_PROCESSES = Path("/proc")
# See proc_pid_stat(5); counted after the command, which may hold any characters.
_START_TIME = 19


def made_here(path: Path, kind: str) -> str:
    """How the name of a file begins that this process makes beside the database at `path`, to have
    it for a while."""
    return f".{path.name}.{kind}-{os.getpid()}-{_start_of(os.getpid())}-"


def remove_abandoned(path: Path) -> int:
    """Remove what processes that have ended left beside the database at `path`; a file's name tells
    its process. Root removes those of all users, others their own.

    Returns how many files there were. Raises DatabaseUnreachable.
    """
    removed = 0
    with _errors_translated(), suppress(FileNotFoundError), os.scandir(path.parent) as entries:
        for entry in entries:
            if not _is_abandoned(path, entry.name) or not entry.is_file(follow_symlinks=False):
                continue
            with suppress(FileNotFoundError):
                # Of another user's processes only root is told for sure whether they go on.
                if os.geteuid() in (0, entry.stat(follow_symlinks=False).st_uid):
                    os.unlink(entry.path)
                    removed += 1
    return removed


def remove_leftovers(path: Path, *, grace: float) -> int:
    """Remove what restores to `path` left beside it, if their processes have ended or it was not
    touched for `grace` seconds.

    Returns how many files there were. Raises DatabaseUnreachable.
    """
    with _errors_translated():
        removed = remove_abandoned(path)
        return removed + sum(
            _remove(path.parent, f".{path.name}.{kind}-", grace) for kind in (RESTORING, BESIDE)
        )


def remove_copies(scratch: Path, *, grace: float) -> int:
    """Remove all copies in `scratch` not touched for `grace` seconds, and a day at least.

    Returns how many files there were. Raises DatabaseUnreachable.
    """
    with _errors_translated():
        return _remove(scratch, _COPY, max(grace, _SCRATCH_SECONDS))


def _remove(folder: Path, prefix: str, grace: float) -> int:
    before = time.time() - grace
    removed = 0
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(prefix) or not entry.is_file(follow_symlinks=False):
                continue
            with suppress(FileNotFoundError):  # whoever made it has ended meanwhile
                if entry.stat(follow_symlinks=False).st_mtime <= before:
                    os.unlink(entry.path)
                    removed += 1
    return removed


def _is_abandoned(path: Path, name: str) -> bool:
    for kind in (RESTORING, BESIDE):
        prefix = f".{path.name}.{kind}-"
        if not name.startswith(prefix):
            continue
        process, _, rest = name.removeprefix(prefix).partition("-")
        start, dash, _ = rest.partition("-")
        if dash and process.isdecimal() and start.isdecimal():
            return _start_of(int(process)) != start
    return False


def _start_of(process: int) -> str:
    """When a process began, in ticks since the start of the machine; "" if there is none."""
    try:
        told = (_PROCESSES / str(process) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return told.rpartition(")")[2].split()[_START_TIME]


@contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatabaseUnreachable(f"leftovers can't be removed: {error.strerror}") from error
