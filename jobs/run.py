"""A job while it runs, as the function that does it sees it."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from django.conf import settings

from jobs import lease, lifecycle
from jobs.errors import Draining, JobStopped
from jobs.events import Draft
from jobs.models import Job
from jobs.worker import CLUSTER_VARIABLE

# At most four progress events a second for a job.
EVENT_SECONDS = 0.25


def draining_mark(cluster: str) -> Path:
    """The file whose presence tells this cluster's jobs to go back to the queue."""
    return Path(settings.RUN_DIR) / f"{cluster}.draining"


def is_draining() -> bool:
    """Whether the cluster that this process belongs to is stopping."""
    cluster = os.environ.get(CLUSTER_VARIABLE)
    return bool(cluster) and draining_mark(str(cluster)).exists()


class Run:
    """What a kind of job is given: its job, a way to report progress, and the way to end well."""

    def __init__(self, claim: lease.Claim) -> None:
        self.claim = claim
        self.total = claim.job.total
        self.remaining = claim.job.remaining
        self.reported_at = self.moved_at = time.monotonic()
        # What the heartbeat found out and the work must hear of at its next step.
        self.stopped: JobStopped | None = None

    @property
    def job(self) -> Job:
        return self.claim.job

    @property
    def arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = self.claim.job.arguments
        return arguments

    def progress(self, total: int, remaining: int) -> None:
        """Tell how far the work is, in the engine's unit; call it often.

        Raises a JobStopped (LeaseLost, Cancelled, Draining) when the work must be undone.
        """
        self.total, self.remaining = total, min(self.remaining, remaining)
        now = self.moved_at = time.monotonic()
        if self.stopped is not None:
            raise self.stopped
        if now - self.reported_at < EVENT_SECONDS:
            return
        if is_draining():
            raise Draining
        self.report()

    def report(self) -> None:
        """Send the progress as it stands now; raises LeaseLost or Cancelled."""
        self.reported_at = time.monotonic()
        lease.report(self.claim, self.total, self.remaining)

    def confirm(self) -> None:
        """Make sure that the job is still this worker's. Raises LeaseLost or Cancelled."""
        lease.renew(self.claim)

    def save_checkpoint(self, mark: str) -> None:
        """Call it right before a commit elsewhere, with that by which it will be known.

        Makes sure that the job is this worker's, and stays so while the commit is under way.
        Raises LeaseLost or Cancelled.
        """
        lease.save_checkpoint(self.claim, mark)

    @contextmanager
    def confirmed(self) -> Iterator[list[Draft]]:
        """A transaction before the job's end, if it still is this worker's: see
        lease.confirmed()."""
        with lease.confirmed(self.claim) as drafts:
            yield drafts

    @contextmanager
    def completion(
        self,
        *,
        unless_cancelled: bool = False,
        findings: Mapping[str, Any] = MappingProxyType({}),
    ) -> Iterator[list[Draft]]:
        """The transaction in which the job ends well: see lifecycle.completion()."""
        with lifecycle.completion(
            self.claim, unless_cancelled=unless_cancelled, findings=findings
        ) as drafts:
            yield drafts

    @contextmanager
    def failure(self, reason: str) -> Iterator[list[Draft]]:
        """The transaction in which the job fails and stores what it found out: see
        lifecycle.failure(). A job that has nothing to store raises JobFailed instead."""
        with lifecycle.failure(self.claim, reason) as drafts:
            yield drafts
