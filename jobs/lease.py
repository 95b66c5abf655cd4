"""A worker's hold on a job while it works: renewed, told of, and lost when another one has it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, QuerySet, Value
from django.db.models.functions import Least, Now
from django.utils import timezone

from jobs import events
from jobs.errors import Cancelled, LeaseLost
from jobs.models import Job


@dataclass(frozen=True)
class Claim:
    """A worker's hold on a job: good while the job is processing under this lease number."""

    job: Job
    lease_number: int

    def rows(self) -> QuerySet[Job]:
        """The job's row while this claim holds, else nothing."""
        return Job.objects.filter(
            pk=self.job.pk, status=Job.Status.PROCESSING, lease_number=self.lease_number
        )


def lease_end() -> ExpressionWrapper:
    """When a lease that begins now runs out."""
    # By the database's clock, as the reaper reads it: the machines' clocks need not agree.
    length = Value(timedelta(seconds=settings.JOB_LEASE_SECONDS))
    return ExpressionWrapper(Now() + length, output_field=DateTimeField())


def job_event(job: Job, action: str = "UPDATE") -> events.Draft:
    """The event that tells of the job as it is."""
    return events.Draft(
        action, "jobs", str(job.token), project_gid=job.project.gid, data=job.wire()
    )


def changed(job: Job) -> events.Draft:
    """The event of a job that was just written to."""
    return job_event(Job.objects.select_related("project").get(pk=job.pk))


def renew(claim: Claim) -> None:
    """Hold the job for another lease.

    Raises LeaseLost if it is not this worker's any more, Cancelled if it shall be stopped.
    """
    if not claim.rows().update(lease_until=lease_end()):
        raise LeaseLost
    if claim.rows().filter(cancel_requested_on__isnull=False).exists():
        raise Cancelled


def save_checkpoint(claim: Claim, mark: str) -> None:
    """Note, right before a commit elsewhere, by what it will be known; renews the lease too.

    Raises LeaseLost or Cancelled: then nothing must be committed.
    """
    rows = claim.rows().filter(cancel_requested_on=None)
    if not rows.update(checkpoint=mark, lease_until=lease_end()):
        renew(claim)
        raise LeaseLost


@contextmanager
def confirmed(claim: Claim) -> Iterator[list[events.Draft]]:
    """A transaction on a job that is still this worker's, and stays so until the transaction ends.

    The drafts that the body adds to the list become events with what it writes. Renews the lease;
    raises LeaseLost or Cancelled before the body runs.
    """
    with transaction.atomic():
        rows = claim.rows().filter(cancel_requested_on=None)
        if not rows.update(lease_until=lease_end()):
            renew(claim)
            raise LeaseLost
        drafts: list[events.Draft] = []
        yield drafts
        events.record(drafts)


def report(claim: Claim, total: int, remaining: int) -> None:
    """Write progress and its event, and renew the lease; raises LeaseLost or Cancelled."""
    with transaction.atomic():
        written = claim.rows().update(
            total=total,
            remaining=Least(F("remaining"), Value(remaining)),
            lease_until=lease_end(),
            updated_on=timezone.now(),
        )
        if not written:
            raise LeaseLost
        events.record([changed(claim.job)])
    if claim.rows().filter(cancel_requested_on__isnull=False).exists():
        raise Cancelled
