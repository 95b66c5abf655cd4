"""Asking for verifications: one by one, and of every project now and then."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Max, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from backups import targets
from backups.errors import JobNotStarted, VersionUnknown
from backups.listing import latest_backup
from backups.services import Requested, recorded, restorable_version
from jobs import lifecycle
from jobs.models import Job
from projects.access import lock_project
from projects.errors import NotAllowed
from projects.models import Project, User

logger = logging.getLogger(__name__)

KIND = "verify_backup"
# One that could not be done, as the storage was away, is asked for again after so long.
RETRY_AFTER = timedelta(days=1)


def verify_backup(*, project: Project, requested_by: User | None, version: int) -> Requested:
    """Queue the job that finds out whether this version is whole.

    Raises VersionUnknown or JobNotStarted.
    """
    backup = restorable_version(project, version)
    targets.check_readable(backup.manifest_key)
    with recorded("verify"), transaction.atomic():
        lock_project(project)
        job = lifecycle.submit(
            project=project,
            kind=KIND,
            arguments={"version": version},
            total=(backup.size or 0) // (backup.unit_size or 1),
            requested_by=requested_by,
        )
    return Requested(backup, job)


def request_due() -> int:
    """Ask for the verification of the newest version of projects whose last one is too old.

    Only of so many at a time that they take half the workers. Returns how many were asked for.
    """
    if not settings.VERIFY_DAYS:
        return 0
    free = max(1, settings.WORKERS // 2)
    free -= Job.objects.filter(kind=KIND, status__in=Job.ACTIVE).count()
    asked = 0
    for project in _due()[: max(0, free)]:
        newest = latest_backup(project)
        if newest is None:
            continue
        try:
            verify_backup(project=project, requested_by=None, version=newest.version)
        except (VersionUnknown, NotAllowed):
            continue  # deleted at this very moment
        except JobNotStarted as error:
            logger.warning("%s can't be verified now: %s", newest, error.reason)
            continue
        asked += 1
    return asked


def _due() -> QuerySet[Project]:
    """The projects with versions whose last check, or else first version, is too old."""
    now = timezone.now()
    kept = Q(backups__completed_on__isnull=False, backups__deleted_on=None)
    jobs = Job.objects.filter(project=OuterRef("pk"))
    in_the_way = jobs.filter(
        Q(status__in=Job.ACTIVE) | Q(kind=KIND, created_on__gt=now - RETRY_AFTER)
    )
    return (
        Project.objects.filter(status=Project.Status.ACTIVE)
        .annotate(
            last_check=Coalesce(
                Max("backups__checked_on", filter=kept), Min("backups__completed_on", filter=kept)
            )
        )
        .filter(~Exists(in_the_way), last_check__lt=now - timedelta(days=settings.VERIFY_DAYS))
        .order_by("last_check")
    )
