"""Asking for jobs from the admin: who may, and what is said afterwards.

To back up takes the permission backups.add_backup, to restore, verify or download
backups.change_backup: a version itself can't be changed, so the permission means what is done with
it.
"""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.utils.html import format_html
from django.utils.safestring import SafeString
from rest_framework.exceptions import Throttled

from backups import services, verification
from backups.errors import JobNotStarted, RangeNotSatisfiable, VersionUnknown
from backups.files import file_answer
from backups.models import Backup
from jobs.models import Job
from projects.admin.columns import link
from projects.errors import InvalidName
from projects.models import Project, User


def may_back_up(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("backups.add_backup"))


def may_restore(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("backups.change_backup"))


def may_verify(request: HttpRequest) -> bool:
    return may_restore(request)


def may_download(request: HttpRequest) -> bool:
    return may_restore(request)


def back_up(
    request: HttpRequest,
    project: Project,
    *,
    name: str | None = None,
    keep_damaged: bool = False,
) -> bool:
    """Ask for a version, and say which it will be, or why there is none."""
    requested = _ask(
        request,
        project,
        lambda: services.create_backup(
            project=project,
            requested_by=_staff(request),
            created_by=_staff(request).get_username(),
            name=name,
            keep_damaged=keep_damaged,
        ),
    )
    if requested is None:
        return False
    messages.success(
        request,
        format_html(
            "Version {} of {} is being made: {}.",
            requested.backup.version,
            project,
            _job_link(request, requested.job),
        ),
    )
    return True


def restore(request: HttpRequest, backup: Backup, *, safety: bool) -> bool:
    """Ask for the restore of a version, and say so, or why it can't be.

    `safety`: whether what the database holds is kept as a version first.
    """
    project = backup.project
    requested = _ask(
        request,
        project,
        lambda: services.restore_backup(
            project=project,
            requested_by=_staff(request),
            version=backup.version,
            safety=safety,
        ),
    )
    if requested is None:
        return False
    messages.success(
        request,
        format_html(
            "{} is being restored to version {}: {}.",
            project,
            backup.version,
            _job_link(request, requested.job),
        ),
    )
    return True


def verify(request: HttpRequest, backup: Backup) -> bool:
    """Ask for the verification of a version, and say so, or why it can't be."""
    project = backup.project
    requested = _ask(
        request,
        project,
        lambda: verification.verify_backup(
            project=project, requested_by=_staff(request), version=backup.version
        ),
    )
    if requested is None:
        return False
    messages.success(
        request,
        format_html(
            "Version {} of {} is being verified: {}.",
            backup.version,
            project,
            _job_link(request, requested.job),
        ),
    )
    return True


def download(request: HttpRequest, backup: Backup) -> HttpResponseBase | None:
    """The version as a file; None, and a message why, when it can't be had."""
    if backup.state != Backup.State.COMPLETE or backup.project.status != Project.Status.ACTIVE:
        messages.error(request, f"{backup.project}: this version can't be downloaded.")
        return None
    try:
        return file_answer(
            request,
            backup,
            _staff(request),
            wanted=request.headers.get("Range"),
            only_if=request.headers.get("If-Range"),
            with_body=True,
        )
    except (JobNotStarted, RangeNotSatisfiable) as error:
        messages.error(request, f"{backup.project}: the download failed: {error.reason}.")
    except Throttled:
        messages.error(request, "Too many downloads are under way: try again in a while.")
    return None


def _staff(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _ask(
    request: HttpRequest, project: Project, service: Callable[[], services.Requested]
) -> services.Requested | None:
    if project.status != Project.Status.ACTIVE:
        messages.error(request, f"{project} is deleted: nothing is done for it.")
        return None
    try:
        return service()
    except InvalidName as error:
        messages.error(request, f"{project}: the name {' '.join(error.info.values())}.")
    except JobNotStarted as error:
        messages.error(request, f"{project}: the {error.process} was not started: {error.reason}.")
    except VersionUnknown:
        messages.error(request, f"{project}: this version can't be restored (any more).")
    return None


def _job_link(request: HttpRequest, job: Job) -> SafeString | str:
    if request.user.has_perm("jobs.view_job"):
        return link(job, "see its job")
    return f"job {job.token}"
