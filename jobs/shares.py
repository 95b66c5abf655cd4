"""Which waiting jobs may begin: one of a project at a time, and of each person only a share."""

from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from jobs.models import Job


def share() -> int:
    """How many jobs of one owner, and of one asker, may run at once: never on all workers."""
    return settings.JOBS_PER_OWNER or max(1, settings.WORKERS - 1)


def claimable() -> QuerySet[Job]:
    """The waiting jobs that a worker may take now.

    Each is the first of its project, and neither the owner of its project nor whoever asked for it
    has a share of jobs running already.
    """
    earlier = Job.objects.filter(
        project=OuterRef("project"), status__in=Job.ACTIVE, pk__lt=OuterRef("pk")
    )
    of_owner = _running(project__owner=OuterRef("project__owner")).values("project__owner")
    of_asker = _running(requested_by=OuterRef("requested_by")).values("requested_by")
    return (
        Job.objects.filter(~Exists(earlier), status=Job.Status.QUEUED)
        .exclude(project__in=_running().values("project"))
        .annotate(of_owner=_count(of_owner), of_asker=_count(of_asker))
        .filter(of_owner__lt=share())
        .filter(Q(requested_by=None) | Q(of_asker__lt=share()))
    )


def freed_by(job: Job) -> list[Job]:
    """The waiting jobs that may begin once this one does not run any more, oldest first.

    At most three: the next of its project, of its owner's projects, and of its asker.
    """
    ready = claimable().order_by("pk")
    found = [
        ready.filter(project_id=job.project_id).first(),
        ready.filter(project__owner=job.project.owner_id).first(),
    ]
    if job.requested_by_id is not None:
        found.append(ready.filter(requested_by=job.requested_by_id).first())
    first = {waiting.pk: waiting for waiting in found if waiting is not None}
    return [first[pk] for pk in sorted(first)]


def _running(**of: Any) -> QuerySet[Job]:
    return Job.objects.filter(status=Job.Status.PROCESSING, **of).order_by()


def _count(groups: QuerySet[Any]) -> Coalesce:
    counted = groups.annotate(running=Count(F("pk"))).values("running")
    return Coalesce(Subquery(counted), Value(0))
