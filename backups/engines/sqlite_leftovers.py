"""Files that killed workers left: half-made databases, and temporary copies."""

import os
import time
from contextlib import suppress
from pathlib import Path

from backups.errors import DatabaseUnreachable

# Temporary copies of all projects lie in one folder; another one's job may still use its own.
_SCRATCH_SECONDS = 86400.0
_COPY = "savepoint-"


def remove_leftovers(path: Path, scratch: Path | None, *, grace: float) -> int:
    """Remove what restores to `path` left beside it, if not touched for `grace` seconds, and all
    copies in `scratch` not touched for a day at least.

    Returns how many files there were. Raises DatabaseUnreachable.
    """
    try:
        removed = _remove(path.parent, f".{path.name}.restoring-", grace)
        if scratch is not None:
            removed += _remove(scratch, _COPY, max(grace, _SCRATCH_SECONDS))
    except OSError as error:
        raise DatabaseUnreachable(f"leftovers can't be removed: {error.strerror}") from error
    return removed


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
