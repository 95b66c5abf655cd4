"""Asking for a version to be put into a project of its own."""

from typing import NamedTuple

from django.db import transaction

from backups import targets
from backups.models import Backup
from backups.services import recorded, restorable_version
from jobs import lifecycle
from jobs.models import Job
from projects.access import lock_project
from projects.errors import NotAllowed
from projects.models import Project, User
from projects.names import MAX_LENGTH, shown_name
from projects.services import create_project


class Cloned(NamedTuple):
    """A project made for a version, and the job that puts it in."""

    project: Project
    backup: Backup
    job: Job


def plan_clone(*, project: Project, owner: User, version: int, name: str | None = None) -> Backup:
    """Check all that can be checked before a clone, and make nothing; see `clone_backup`."""
    if owner.kind != User.Kind.PERSON:
        raise NotAllowed
    backup = restorable_version(project, version)
    targets.check_stored(backup.manifest_key, process="clone")
    if name is not None:
        shown_name(name)
    return backup


def clone_backup(
    *,
    project: Project,
    owner: User,
    requested_by: User | None,
    version: int,
    name: str | None = None,
) -> Cloned:
    """Make a project of this owner's and queue the job that makes its database hold the version.

    The job is the new project's: `project`, where the version is from, stays free for others.
    `requested_by`: who must still be a member of `project` when the job begins; None for
    operators. Raises NotAllowed for an owner who is no person, InvalidName, VersionUnknown or
    JobNotStarted.
    """
    backup = plan_clone(project=project, owner=owner, version=version, name=name)
    with recorded("clone"), transaction.atomic():
        source = lock_project(project)
        clone = create_project(
            owner=owner,
            name=clone_name(source, version) if name is None else name,
            timezone=source.options.get("timezone", "UTC"),
            options=source.options,
        )
        job = lifecycle.submit(
            project=clone,
            kind="clone_backup",
            arguments={"source": str(source.gid), "version": version},
            total=(backup.size or 0) // (backup.unit_size or 1),
            requested_by=requested_by,
        )
    return Cloned(clone, backup, job)


def clone_name(source: Project, version: int) -> str:
    """What the clone of a version is called unless it is said: by its source, cut if need be."""
    suffix = f" (version {version})"
    return source.name[: MAX_LENGTH - len(suffix)] + suffix
