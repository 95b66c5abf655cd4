"""The only writer of jobs. Each change of status is one conditional UPDATE and one event."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import DateTimeField, F, QuerySet, Value
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from jobs import events, queue, shares
from jobs.errors import LeaseLost, ProjectBusy
from jobs.lease import Claim, changed, job_event, lease_end, renew
from jobs.models import Job
from projects.models import Project, User
from projects.rights import may_still

CANCELLED = "cancelled"
NO_RIGHT = "whoever asked for it has no right to it any more"


def process_error(kind: str, reason: str) -> dict[str, Any]:
    """What clients find in `info.error` of a job that failed."""
    info = {"process": kind.partition("_")[0], "reason": reason}
    return {"code": 1003, "message": "Process error", "info": info}


def submit(
    *,
    project: Project,
    kind: str,
    arguments: dict[str, Any],
    total: int,
    requested_by: User | None,
) -> Job:
    """Record a job and put it on the queue, in the caller's transaction.

    Do little after it in that transaction: the event log stays locked until the commit. `total`:
    an estimate in the engine's unit. The caller holds the project's row lock, so that jobs are
    numbered in the order in which they were asked for.
    """
    now = timezone.now()
    job = Job.objects.create(
        project=project,
        kind=kind,
        arguments=arguments,
        total=total,
        remaining=total,
        requested_by=requested_by,
        created_on=now,
        updated_on=now,
        hinted_on=now,
    )
    queue.put(str(job.token))
    events.record([job_event(job, "INSERT")])
    return job


def claim(token: str, worker: str) -> Claim | None:
    """Take a queued job if it may begin now; see `shares.claimable`. None if not.

    One whose asker has lost the right to it is rejected instead.
    """
    now = timezone.now()
    waiting = Job.objects.select_related("project__owner", "requested_by")
    try:
        with transaction.atomic():
            job = waiting.filter(token=token, status=Job.Status.QUEUED).first()
            if job is None or not _is_claimable(job):
                return None
            row = Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED)
            if not _has_right(job):
                _reject(job, row, error=process_error(job.kind, NO_RIGHT))
                return None
            taken = row.update(
                status=Job.Status.PROCESSING,
                lease_number=F("lease_number") + 1,
                lease_until=lease_end(),
                worker=worker,
                started_on=Coalesce("started_on", Value(now, output_field=DateTimeField())),
                updated_on=now,
            )
            if not taken:
                return None
            job = Job.objects.select_related("project", "project__owner").get(pk=job.pk)
            events.record([job_event(job)])
    except IntegrityError:
        return None  # another job of the project was claimed at the same moment
    return Claim(job, job.lease_number)


def _is_claimable(job: Job) -> bool:
    """Whether the job may begin now. Until the commit nobody else begins one of these people's."""
    people = [pk for pk in (job.project.owner_id, job.requested_by_id) if pk is not None]
    list(User.objects.select_for_update().filter(pk__in=people).order_by("pk").values_list("pk"))
    return shares.claimable().filter(pk=job.pk).exists()


def _has_right(job: Job) -> bool:
    """Whether whoever asked for the job may still do so; operators always may."""
    # An earlier attempt may be in force already: this one has to find that out.
    if job.requested_by is None or job.checkpoint:
        return True
    right = settings.JOB_RIGHTS.get(job.kind)
    if right is None:
        return False
    role, permission = right
    return may_still(job.requested_by, job.project, role=role, permission=permission)


def _reject(job: Job, row: QuerySet[Job], *, error: dict[str, Any] | None = None) -> bool:
    """Refuse a job that waits, in the caller's transaction; False if it does not wait any more."""
    now = timezone.now()
    if not row.update(status=Job.Status.REJECTED, error=error, updated_on=now, ended_on=now):
        return False
    _put_next(job)
    events.record([changed(job)])
    return True


def _put_next(ended: Job) -> None:
    """Put what may begin, now that this job does not run any more, on the queue."""
    for job in shares.freed_by(ended):
        put_again(job)


def put_again(job: Job) -> None:
    """Put a waiting job's token on the queue once more: harmless, if it is there already."""
    Job.objects.filter(pk=job.pk).update(hinted_on=timezone.now())
    queue.put(str(job.token))


@contextmanager
def completion(
    claim: Claim,
    *,
    unless_cancelled: bool = False,
    findings: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[list[events.Draft]]:
    """The one transaction in which a job ends well.

    What the body writes is committed together with `done` or not at all; the drafts that it adds
    to the list become events before the job's own. With `unless_cancelled` a job that was asked to
    stop does not end well any more; without it the work is in force already. `findings`: what
    clients find in `info` beside the progress; short, as each listener gets it. Raises LeaseLost
    or Cancelled before the body runs.
    """
    rows = claim.rows()
    if unless_cancelled:
        rows = rows.filter(cancel_requested_on=None)
    with _ending(claim, rows, remaining=0, findings=dict(findings)) as drafts:
        yield drafts


@contextmanager
def failure(claim: Claim, reason: str) -> Iterator[list[events.Draft]]:
    """The one transaction in which a job ends with an error, and stores what it found out.

    For the body the same holds as in `completion`. Raises LeaseLost before it runs.
    """
    error = process_error(claim.job.kind, reason)
    with _ending(claim, claim.rows(), error=error) as drafts:
        yield drafts


@contextmanager
def _ending(claim: Claim, rows: QuerySet[Job], **outcome: Any) -> Iterator[list[events.Draft]]:
    now = timezone.now()
    with transaction.atomic():
        if not rows.update(
            status=Job.Status.DONE, lease_until=None, updated_on=now, ended_on=now, **outcome
        ):
            renew(claim)
            raise LeaseLost
        drafts: list[events.Draft] = []
        yield drafts
        _put_next(claim.job)
        events.record([*drafts, changed(claim.job)])


@contextmanager
def done_at_once(
    *, project: Project, kind: str, arguments: dict[str, Any], total: int
) -> Iterator[tuple[Job, list[events.Draft]]]:
    """A job that the caller does itself, in one transaction, while no job of the project runs.

    What the body writes is committed together with the job, or not at all; the drafts that it
    adds to the list become events before the job's own. Raises ProjectBusy before the body runs.
    """
    now = timezone.now()
    with transaction.atomic():
        try:
            with transaction.atomic():
                # Until the commit its row keeps every other job of the project from being claimed.
                job = Job.objects.create(
                    project=project,
                    kind=kind,
                    arguments=arguments,
                    status=Job.Status.PROCESSING,
                    total=total,
                    created_on=now,
                    updated_on=now,
                    hinted_on=now,
                )
        except IntegrityError as error:
            raise ProjectBusy from error
        drafts: list[events.Draft] = []
        yield job, drafts
        job.status, job.updated_on, job.ended_on = Job.Status.DONE, now, now
        job.save(update_fields=["status", "updated_on", "ended_on"])
        events.record([*drafts, job_event(job, "INSERT")])


def fail(claim: Claim, reason: str) -> None:
    """End the job with an error; raises LeaseLost."""
    if not _end_failed(claim.job, claim.rows(), reason):
        raise LeaseLost


def give_back(claim: Claim) -> None:
    """Put a job that was stopped on purpose back to the queue; raises LeaseLost."""
    if not _requeue(claim.job, claim.rows(), losses=0):
        raise LeaseLost


def cancel(job: Job) -> Job:
    """Refuse a job that waits, ask one that is processed to stop; leaves one that has ended.

    Returns the job as it is then.
    """
    now = timezone.now()
    with transaction.atomic():
        if not _reject(job, Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED)):
            Job.objects.filter(
                pk=job.pk, status=Job.Status.PROCESSING, cancel_requested_on=None
            ).update(cancel_requested_on=now)
    return Job.objects.select_related("project").get(pk=job.pk)


def expired() -> QuerySet[Job]:
    """The processing jobs whose worker has not renewed the lease in time."""
    return Job.objects.filter(status=Job.Status.PROCESSING, lease_until__lt=Now())


def recover(job: Job) -> bool:
    """Put a job whose lease ran out back to the queue, or end it when that happened too often.

    Returns False when its worker has come back meanwhile.
    """
    rows = expired().filter(pk=job.pk, lease_number=job.lease_number)
    if job.cancel_requested_on is not None:
        return _end_failed(job, rows, CANCELLED)
    if job.losses + 1 < settings.JOB_ATTEMPTS:
        return _requeue(job, rows, losses=1)
    reason = f"the worker was lost {job.losses + 1} times while doing this"
    if job.checkpoint:
        reason += "; it may have taken effect all the same"
    return _end_failed(job, rows, reason)


def _end_failed(job: Job, rows: QuerySet[Job], reason: str) -> bool:
    now = timezone.now()
    with transaction.atomic():
        if not rows.update(
            status=Job.Status.DONE,
            error=process_error(job.kind, reason),
            lease_until=None,
            updated_on=now,
            ended_on=now,
        ):
            return False
        _put_next(job)
        events.record([changed(job)])
    return True


def _requeue(job: Job, rows: QuerySet[Job], losses: int) -> bool:
    with transaction.atomic():
        if not rows.update(
            status=Job.Status.QUEUED,
            lease_until=None,
            worker="",
            losses=F("losses") + losses,
            updated_on=timezone.now(),
        ):
            return False
        _put_next(job)
        events.record([changed(job)])
    return True
