"""Which waiting jobs may begin: one of a project at a time, and of each person only a share."""

from collections import Counter
from collections.abc import Iterable

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from jobs.models import Job


def share() -> int:
    """How many jobs of one owner, and of one asker, may run at once: never on all workers."""
    return settings.JOBS_PER_OWNER or max(1, settings.WORKERS - 1)


def claimable() -> QuerySet[Job]:
    """The waiting jobs that a worker may take now.

    Each is the first of its project, and neither the owner of its project nor whoever asked for it
    has a share of jobs running already.
    """
    # Read first: they are no more than there are workers, and what waits is then found by its index
    # alone, however many jobs have ended by now.
    running = Job.objects.filter(status=Job.Status.PROCESSING).order_by()
    found = list(running.values_list("project", "project__owner", "requested_by"))
    owners = _who_have_theirs(owner for _, owner, _ in found)
    askers = _who_have_theirs(asker for _, _, asker in found if asker is not None)
    waiting = Job.objects.filter(status=Job.Status.QUEUED)
    earlier = waiting.filter(project=OuterRef("project"), pk__lt=OuterRef("pk"))
    return (
        waiting.filter(~Exists(earlier))
        .exclude(project__in=[project for project, _, _ in found])
        .exclude(project__owner__in=owners)
        .filter(Q(requested_by=None) | ~Q(requested_by__in=askers))
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
        # By a sum, which no index knows: that of all jobs that they ever asked for would be taken.
        asked_for = ready.alias(asker=F("requested_by") + 0).filter(asker=job.requested_by_id)
        found.append(asked_for.first())
    first = {waiting.pk: waiting for waiting in found if waiting is not None}
    return [first[pk] for pk in sorted(first)]


def _who_have_theirs(people: Iterable[int]) -> list[int]:
    return [person for person, jobs in Counter(people).items() if jobs >= share()]
