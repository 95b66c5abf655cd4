"""The core's errors as the failures of jobs."""

from collections.abc import Iterator
from contextlib import contextmanager

from backups.errors import BackupsError, DatabaseDamaged
from jobs.errors import JobFailed


@contextmanager
def reasons_for_users() -> Iterator[None]:
    """Turn what the backup core says into the job's failure."""
    try:
        yield
    except BackupsError as error:
        raise JobFailed(error.reason) from error


@contextmanager
def damage_advised(deed: str) -> Iterator[None]:
    """Add to the refusal of a damaged database what the caller can do. `deed`: "backed up", say."""
    try:
        yield
    except DatabaseDamaged as damaged:
        raise DatabaseDamaged(
            f"{damaged.reason}; the database is not {deed}: to keep it as it is, set keep_damaged"
            " (--keep-damaged)"
        ) from damaged
