"""Tells the event log, which lies above this app, that a user, project or membership changed."""

from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from projects.models import Membership, Project, User


class Action(StrEnum):
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


def _record(
    action: Action,
    data_type: str,
    data_key: str,
    project_gid: UUID | None = None,
    user_gid: UUID | None = None,
) -> None:
    import_string(settings.CHANGE_RECORDER)(
        action=str(action),
        data_type=data_type,
        data_key=data_key,
        project_gid=project_gid,
        user_gid=user_gid,
    )


def record_user(action: Action, user: User) -> None:
    """Record a change of a user: seen by that user alone."""
    _record(action, "cc.users", str(user.gid), user_gid=user.gid)


def record_project(action: Action, project: Project) -> None:
    """Record a change of a project: seen by its members."""
    _record(action, "cc.projects", str(project.gid), project_gid=project.gid)


def record_membership(action: Action, membership: Membership) -> None:
    """Record a change of a membership: seen by the project's members."""
    project, user = membership.project, membership.user
    _record(action, "cc.projects_members", f"{project.gid}/{user.gid}", project_gid=project.gid)
