"""The core's errors as the failures of jobs."""

from collections.abc import Iterator
from contextlib import contextmanager

from backups.errors import BackupsError
from jobs.errors import JobFailed


@contextmanager
def reasons_for_users() -> Iterator[None]:
    """Turn what the backup core says into the job's failure."""
    try:
        yield
    except BackupsError as error:
        raise JobFailed(error.reason) from error
