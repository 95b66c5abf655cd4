"""Asking for sweeps: one by one, and of every project that has something to sweep."""

import logging
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from backups.models import Backup, Sweep
from jobs import lifecycle
from jobs.models import Job
from projects.access import lock_project
from projects.errors import NotAllowed
from projects.models import Project, User

KIND = "sweep_project"

logger = logging.getLogger(__name__)

# A version has at least its manifest, an outline, a layer and a pack: what a sweep's progress is
# told of, as long as nobody has counted.
_OBJECTS = 4
_NEVER = datetime.fromtimestamp(0, UTC)


def sweep_project(*, project: Project, requested_by: User | None) -> Job:
    """Queue the job that deletes what none of the project's versions needs any more.

    One that waits already will do; it is returned then. Raises NotAllowed for a deleted project.
    """
    with transaction.atomic():
        lock_project(project)
        waiting = Job.objects.select_related("project").filter(
            project=project, kind=KIND, status=Job.Status.QUEUED
        )
        return waiting.first() or lifecycle.submit(
            project=project,
            kind=KIND,
            arguments={},
            total=_OBJECTS * max(1, Backup.objects.filter(project=project).count()),
            requested_by=requested_by,
        )


def request_due() -> int:
    """Ask for the sweeps of projects that have had something to sweep for SWEEP_SECONDS.

    Only of so many at a time that they take half the workers. Returns how many were asked for.
    """
    free = max(1, settings.WORKERS // 2)
    free -= Job.objects.filter(kind=KIND, status__in=Job.ACTIVE).count()
    asked = 0
    for project in due()[: max(0, free)]:
        try:
            sweep_project(project=project, requested_by=None)
        except NotAllowed:
            continue  # deleted at this very moment
        asked += 1
    return asked


def due() -> QuerySet[Project]:
    """The projects without anything to do that have something to sweep, the longest unswept first.

    That is, since the last sweep that ended well: versions deleted, or jobs that failed or lost a
    worker and may have left something; or what that sweep noted, and whose time of grace is over.
    """
    now = timezone.now()
    since = now - timedelta(seconds=settings.SWEEP_SECONDS)
    jobs = Job.objects.filter(project=OuterRef("pk"))
    sweeps = jobs.filter(kind=KIND)
    swept = sweeps.filter(status=Job.Status.DONE, error__isnull=True).order_by("-started_on")
    deleted = Backup.objects.filter(
        project=OuterRef("pk"), deleted_on__gt=OuterRef("swept_on"), deleted_on__lte=since
    )
    broken = jobs.exclude(kind=KIND).filter(
        Q(error__isnull=False) | Q(losses__gt=0),
        ended_on__gt=OuterRef("swept_on"),
        ended_on__lte=since,
    )
    noted = Sweep.objects.filter(
        job__project=OuterRef("pk"),
        job__started_on=OuterRef("swept_on"),
        job__ended_on__lte=now - timedelta(seconds=settings.SWEEP_GRACE_SECONDS),
        waiting__gt=0,
    )
    return (
        Project.objects.filter(status=Project.Status.ACTIVE)
        .exclude(Exists(jobs.filter(status__in=Job.ACTIVE)))
        .exclude(Exists(sweeps.filter(created_on__gt=since)))
        .annotate(swept_on=Coalesce(Subquery(swept.values("started_on")[:1]), Value(_NEVER)))
        .filter(Exists(deleted) | Exists(broken) | Exists(noted))
        .order_by("swept_on", "pk")
    )
