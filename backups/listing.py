"""The versions of projects, as clients see them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from backups.findings import as_fields
from backups.models import Backup, VersionCounter
from projects.models import Project

# What Backup.wire() tells; the rest of a row may be long.
_WIRE = ("project_id", "version", "name", "created_by", "created_on")


def versions_of(projects: Iterable[Project]) -> dict[int, dict[str, Any]]:
    """For each project's id: its versions, newest first, and the next version's number."""
    ids = [project.pk for project in projects]
    listed: dict[int, dict[str, Any]] = {pk: {"versions": [], "next_version": 1} for pk in ids}
    told = Backup.objects.restorable().only(*_WIRE).filter(project__in=ids)
    for backup in told:
        listed[backup.project_id]["versions"].append(backup.wire())
    for counter in VersionCounter.objects.filter(project__in=ids):
        listed[counter.project_id]["next_version"] = counter.next_version
    return listed


def version_details(backup: Backup, *, with_facts: bool = False) -> dict[str, Any]:
    """All that a client may know of a version. Sizes are bytes, the duration seconds.

    `with_facts`: also what its database said of itself, which may be long.
    """
    job = backup.job
    duration = (
        (job.ended_on - job.started_on).total_seconds() if job.ended_on and job.started_on else None
    )
    details = backup.wire() | {
        "size": backup.size,
        "stored": backup.stored,
        "duration": duration,
        "state": backup.state,
        "purpose": backup.purpose,
        "unchanged": backup.unchanged,
        "sha256": backup.sha256 or None,
        "checked_on": _timestamp(backup.checked_on),
        "verified_on": _timestamp(backup.verified_on),
        **as_fields(backup.findings),
        "remarks": backup.remarks,
    }
    return details | ({"facts": backup.facts} if with_facts else {})


def _timestamp(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def latest_backup(project: Project) -> Backup | None:
    """The newest version that can be restored."""
    backups = Backup.objects.restorable().filter(project=project).defer("facts")
    return backups.order_by("-version").first()


def last_backed_up(project: Project) -> float | None:
    """When the newest version was asked for (timestamp); None without one."""
    backup = latest_backup(project)
    return backup.created_on.timestamp() if backup else None
