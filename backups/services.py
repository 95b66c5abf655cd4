"""What can be asked for: each records a job and answers at once; workers do the rest."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from backups import targets
from backups.errors import JobNotStarted, VersionUnknown
from backups.listing import latest_backup
from backups.models import Backup
from backups.names import checked_maker, checked_name, default_name
from backups.numbers import next_version
from jobs import lifecycle
from jobs.models import Job
from projects.access import lock_project
from projects.changes import Action, record_project
from projects.models import Project, User

logger = logging.getLogger(__name__)


class Requested(NamedTuple):
    """A job asked for, and the version that it makes or restores."""

    backup: Backup
    job: Job


@contextmanager
def recorded(process: str) -> Iterator[None]:
    """Tell the asker when the job can't be recorded; nothing has been begun then."""
    try:
        yield
    except OperationalError as error:
        logger.exception("a job could not be recorded")
        raise JobNotStarted(process, "the job could not be recorded; try again") from error


def create_backup(
    *,
    project: Project,
    requested_by: User | None,
    created_by: str,
    name: str | None = None,
    keep_damaged: bool = False,
) -> Requested:
    """Reserve the next version and queue the job that makes it.

    `keep_damaged`: a database that is found to be damaged is kept as it is, not refused. Raises
    InvalidName, or JobNotStarted when it is plain already that the job can't succeed.
    """
    latest = latest_backup(project)
    units = targets.estimated_units(project, latest.unit_size if latest else None)
    targets.check_store()
    with recorded("backup"), transaction.atomic():
        return reserve_version(
            project=project,
            requested_by=requested_by,
            created_by=created_by,
            name=name,
            purpose=Backup.Purpose.ASKED_FOR,
            kind="backup_project",
            arguments={"keep_damaged": keep_damaged},
            total=units,
        )


def reserve_version(
    *,
    project: Project,
    requested_by: User | None,
    created_by: str,
    name: str | None,
    purpose: str,
    kind: str,
    arguments: dict[str, Any],
    total: int,
) -> Requested:
    """Give the next version its number, and queue the job of this kind that makes it, in the
    caller's transaction. Raises NotAllowed for a deleted project, InvalidName, or
    InvalidParameters for a maker whose name can't be shown."""
    lock_project(project)
    version = next_version(project)
    name = default_name(version) if name is None else checked_name(name, version)
    job = lifecycle.submit(
        project=project,
        kind=kind,
        arguments={"version": version} | arguments,
        total=total,
        requested_by=requested_by,
    )
    backup = Backup.objects.create(
        project=project,
        version=version,
        name=name,
        created_by=checked_maker(created_by),
        created_on=timezone.now(),
        requested_by=requested_by,
        purpose=purpose,
        job=job,
    )
    return Requested(backup, job)


def restorable_version(project: Project, version: int) -> Backup:
    """The version, if it can be restored; raises VersionUnknown."""
    backup = _restorable(project).filter(version=version).first()
    if backup is None:
        raise VersionUnknown(version)
    return backup


def restorable_versions(
    project: Project, versions: Iterable[int], *, with_facts: bool = False
) -> list[Backup]:
    """These versions in this order, each once. Raises VersionUnknown for the first that can't be
    restored. `with_facts`: these are asked for, and so read in the same query."""
    wanted = list(dict.fromkeys(versions))
    rows = _restorable(project, with_facts=with_facts).filter(version__in=wanted)
    found = {backup.version: backup for backup in rows}
    for version in wanted:
        if version not in found:
            raise VersionUnknown(version)
    return [found[version] for version in wanted]


def page_of_versions(
    project: Project, *, size: int, below: int | None, with_facts: bool = False
) -> tuple[list[Backup], int | None]:
    """The newest versions, or those below a version; and below which one to go on, if any."""
    backups = _restorable(project, with_facts=with_facts)
    if below is not None:
        backups = backups.filter(version__lt=below)
    page = list(backups.order_by("-version")[: size + 1])
    return page[:size], page[size - 1].version if len(page) > size else None


def _restorable(project: Project, *, with_facts: bool = False) -> QuerySet[Backup]:
    backups = Backup.objects.restorable().filter(project=project).select_related("job")
    return backups if with_facts else backups.defer("facts")


class RestorePlan(NamedTuple):
    """A restore that nothing stands against now.

    `safety`: whether what the database holds is to be kept as a version first; `overwrites`:
    whether there is a database now.
    """

    backup: Backup
    safety: bool
    overwrites: bool


def plan_restore(*, project: Project, version: int, safety: bool | None = None) -> RestorePlan:
    """Check all that can be checked before a restore, and begin nothing; see `restore_backup`."""
    safety = settings.SAFETY_VERSIONS if safety is None else safety
    backup = restorable_version(project, version)
    targets.check_stored(backup.manifest_key)
    if safety:
        targets.check_keepable(project)
    return RestorePlan(backup, safety, targets.has_database(project))


def restore_backup(
    *, project: Project, requested_by: User | None, version: int, safety: bool | None = None
) -> Requested:
    """Queue the job that puts the project's database back to this version.

    `safety`: whether what it holds is kept as a version first; None: as SAFETY_VERSIONS says.
    Raises VersionUnknown or JobNotStarted.
    """
    backup, safety, _ = plan_restore(project=project, version=version, safety=safety)
    with recorded("restore"), transaction.atomic():
        lock_project(project)
        job = lifecycle.submit(
            project=project,
            kind="restore_project",
            arguments={"version": version, "safety": safety},
            total=(backup.size or 0) // (backup.unit_size or 1),
            requested_by=requested_by,
        )
    return Requested(backup, job)


def latest_safety_version(project: Project) -> Backup:
    """What the database held before the newest restore. Raises JobNotStarted without one."""
    backup = _restorable(project).filter(purpose=Backup.Purpose.SAFETY).first()
    if backup is None:
        raise JobNotStarted("restore", "no version was kept before a restore of this project")
    return backup


def rename_backup(*, project: Project, version: int, name: str) -> None:
    """Call a version otherwise. Raises VersionUnknown or InvalidName."""
    with transaction.atomic():
        lock_project(project)
        backup = restorable_version(project, version)
        backup.name = checked_name(name, version)
        backup.save(update_fields=["name"])
        record_project(Action.UPDATE, project)


def delete_backups(*, project: Project, versions: Iterable[int]) -> None:
    """Take these versions off the list for good; those that are not on it are passed over."""
    with transaction.atomic():
        lock_project(project)
        listed = Backup.objects.stored().filter(project=project, version__in=list(versions))
        if listed.update(deleted_on=timezone.now()):
            record_project(Action.UPDATE, project)
