"""Deleting whole projects: first out of sight, and then, if wanted, for good."""

from django.db import transaction
from django.utils import timezone

from jobs import lifecycle
from jobs.models import Job
from projects.access import lock_project
from projects.changes import Action, record_project
from projects.errors import InvalidParameters, NotAllowed
from projects.models import Project, User


def delete_project(*, project: Project) -> None:
    """Put a project out of everybody's reach; its data and versions stay. Its jobs end.

    Raises NotAllowed when it is deleted already.
    """
    with transaction.atomic():
        lock_project(project)
        Project.objects.filter(pk=project.pk).update(status=Project.Status.DELETED)
        record_project(Action.UPDATE, project)
        for job in Job.objects.filter(project=project, status__in=Job.ACTIVE).order_by("pk"):
            lifecycle.cancel(job)


def undelete_project(*, project: Project) -> None:
    """Bring a deleted project back as it was. Raises NotAllowed when it was deleted for good."""
    with transaction.atomic():
        locked = Project.objects.select_for_update().get(pk=project.pk)
        if locked.purged_on is not None:
            raise NotAllowed
        if locked.status == Project.Status.ACTIVE:
            return
        Project.objects.filter(pk=project.pk).update(status=Project.Status.ACTIVE)
        record_project(Action.UPDATE, project)


def purge_project(*, project: Project, requested_by: User, confirm: str) -> Job:
    """Queue the job that removes a deleted project's versions and its managed database.

    `confirm`: the project's gid again. Raises InvalidParameters, or NotAllowed for a project that
    has not been deleted before or has been purged already.
    """
    if confirm != str(project.gid):
        raise InvalidParameters(confirm="must be the gid of the project")
    with transaction.atomic():
        locked = Project.objects.select_for_update().get(pk=project.pk)
        earlier = Job.objects.filter(project=project, kind="purge_project").order_by("pk").last()
        # One that failed may be asked for again: it goes on with what is left.
        is_done_for = earlier is not None and (earlier.status in Job.ACTIVE or earlier.ended_well)
        if locked.status != Project.Status.DELETED or is_done_for:
            raise NotAllowed
        Project.objects.filter(pk=project.pk).update(purged_on=timezone.now())
        return lifecycle.submit(
            project=project,
            kind="purge_project",
            arguments={},
            total=1,
            requested_by=requested_by,
        )
