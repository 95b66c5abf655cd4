"""The list of versions, made anew from what the storage holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from backups import targets
from backups.errors import StorageUnwritable
from backups.findings import columns_of_facts
from backups.models import Backup, VersionCounter
from backups.names import MAX_LENGTH, default_name
from backups.recovery.survey import Found, best_of_each, projects_in, versions_in
from jobs import lifecycle
from jobs.events import project_changed
from jobs.models import Job
from projects.access import gid_of, lock_project
from projects.errors import NotAllowed
from projects.models import Project, User
from projects.services import create_project

KIND = "adopt_project"


class OwnerNeeded(Exception):
    """The project is in the storage only: somebody has to own it before it can be listed."""


@dataclass(frozen=True)
class Adoption:
    """What is listed of a project that was not, or would be.

    `project` is None as long as there is none. `damaged` can't be restored and is not listed, but
    keeps its objects and its number until it is deleted; `unreadable` can't be read now, for a
    reason that is none of its own.
    """

    gid: str
    project: Project | None
    versions: tuple[Found, ...]
    damaged: tuple[Found, ...]
    unreadable: tuple[Found, ...] = ()


def gids_in_store() -> list[str]:
    """The gids of all projects that the storage has versions of. Raises StorageError."""
    return [gid for gid in projects_in(Path(settings.STORE_DIR)) if gid_of(gid)]


def planned(gid: str) -> Adoption:
    """What `adopt` would do now. Raises NotAllowed for a deleted project, StorageError."""
    project = Project.objects.filter(gid=gid).first()
    if project is not None and project.status != Project.Status.ACTIVE:
        raise NotAllowed
    return _compared(gid, project, _survey(gid))


def adopt(gid: str, *, owner: User | None) -> Adoption:
    """List the versions of this project that the storage holds and that no row tells of.

    All of it or nothing; what has a row, a deleted version too, is left as it is, but for one that
    was too damaged before and is whole now. A project that is missing is made, with an empty
    database at the managed place unless one is there. Nothing is recorded when there is nothing to
    list. Raises OwnerNeeded, NotAllowed for a deleted project, ProjectBusy while a job of it runs,
    StorageError when the storage, or any version in it, can't be read now.
    """
    plan = _all_readable(planned(gid))
    if not plan.versions and not (plan.project and plan.damaged):
        return plan
    with transaction.atomic():
        project = plan.project and lock_project(plan.project)
        if project is None:
            if owner is None:
                raise OwnerNeeded
            project = create_project(owner=owner, name=f"recovered {gid}", gid=gid_of(gid))
        with lifecycle.done_at_once(
            project=project, kind=KIND, arguments={}, total=len(plan.versions)
        ) as (job, drafts):
            # Looked at again, now that nothing can be removed meanwhile.
            found = _survey(gid)
            adoption = _all_readable(_compared(gid, project, found))
            _replaceable(project).filter(
                version__in=[one.version for one in (*adoption.versions, *adoption.damaged)]
            ).delete()
            Backup.objects.bulk_create(_rows(adoption, found, job))
            _raise_counter(project, found)
            drafts.append(project_changed(project.gid))
    return adoption


def _survey(gid: str) -> list[Found]:
    return best_of_each(versions_in(targets.store_under(gid)))


def _all_readable(adoption: Adoption) -> Adoption:
    """The same; raises StorageError if anything in the storage can't be read now."""
    if adoption.unreadable:
        first = adoption.unreadable[0]
        raise StorageUnwritable(f"version {first.version} can't be read now: {first.trouble}")
    return adoption


def _replaceable(project: Project | None) -> QuerySet[Backup]:
    """The rows of versions that were too damaged to be listed."""
    damaged = Backup.objects.stored().exclude(storage_damage="")
    return damaged.filter(project=project, completed_on=None)


def _compared(gid: str, project: Project | None, found: Sequence[Found]) -> Adoption:
    rows = Backup.objects.filter(project=project).exclude(pk__in=_replaceable(project))
    known = set(rows.values_list("version", flat=True))
    new = [one for one in found if project is None or one.version not in known]
    return Adoption(
        gid=gid,
        project=project,
        versions=tuple(one for one in new if one.is_whole),
        damaged=tuple(one for one in new if one.damage),
        unreadable=tuple(one for one in new if one.trouble),
    )


def _rows(adoption: Adoption, found: Iterable[Found], job: Job) -> list[Backup]:
    by_version = {one.version: one for one in found}
    return [
        *(
            _row(one, by_version.get(one.manifest.parent or 0), job)
            for one in adoption.versions
            if one.manifest
        ),
        *(_damaged_row(one, job) for one in adoption.damaged),
    ]


def _damaged_row(found: Found, job: Job) -> Backup:
    """What keeps a version's objects and its number that can't be restored."""
    manifest = found.manifest
    made_on = datetime.fromtimestamp(manifest.created_on, UTC) if manifest else timezone.now()
    return Backup(
        project=job.project,
        version=found.version,
        name=manifest.name[:MAX_LENGTH] if manifest else default_name(found.version),
        created_by=manifest.created_by[:MAX_LENGTH] if manifest else "",
        created_on=made_on,
        job=job,
        manifest_key=found.key,
        storage_damage=found.damage,
    )


def _row(found: Found, parent: Found | None, job: Job) -> Backup:
    manifest, outline = found.manifest, found.outline
    assert manifest is not None
    assert outline is not None
    made_on = datetime.fromtimestamp(manifest.created_on, UTC)
    return Backup(
        project=job.project,
        version=found.version,
        name=manifest.name[:MAX_LENGTH],
        created_by=manifest.created_by[:MAX_LENGTH],
        created_on=made_on,
        job=job,
        completed_on=made_on,
        parent_version=manifest.parent,
        manifest_key=found.key,
        content_hash=outline.content_hash.hex(),
        unit_size=outline.unit_size,
        size=outline.size,
        stored=found.added,
        **columns_of_facts(outline.facts),
        unchanged=bool(
            parent
            and parent.outline
            and (parent.outline.content_hash, parent.outline.identifier_key)
            == (outline.content_hash, outline.identifier_key)
        ),
    )


def _raise_counter(project: Project, found: Iterable[Found]) -> None:
    """No number that the storage knows may be given again, be the version damaged or not."""
    highest = max((one.version for one in found), default=0)
    counter, _ = VersionCounter.objects.get_or_create(project=project)
    VersionCounter.objects.filter(pk=counter.pk, next_version__lte=highest).update(
        next_version=highest + 1
    )
