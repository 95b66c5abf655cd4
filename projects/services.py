"""What can be done with people and projects. membership.py has what concerns members and keys."""

from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from projects.access import lock_project
from projects.changes import Action, record_membership, record_project, record_user
from projects.databases import MANAGED, check_address, make_managed_database, seal_address
from projects.membership import (
    NewApiKey,
    create_api_key,
    remove_member,
    revoke_api_key,
    set_member,
)
from projects.models import Membership, Project, User
from projects.names import shown_name
from projects.options import checked_timezone, merged_options

__all__ = [
    "NewApiKey",
    "create_api_key",
    "create_project",
    "create_user",
    "remove_member",
    "revoke_api_key",
    "set_address",
    "set_member",
    "update_project",
]

UNTITLED = "untitled project"


def create_user(*, username: str, password: str, name: str = "", **fields: Any) -> User:
    """Make a person who can sign in."""
    with transaction.atomic():
        user: User = User.objects.create_user(username, password=password, name=name, **fields)
        record_user(Action.INSERT, user)
    return user


def create_project(
    *,
    owner: User,
    name: str = UNTITLED,
    timezone: str = "UTC",
    options: dict[str, Any] | None = None,
    address: str = MANAGED,
    gid: UUID | None = None,
) -> Project:
    """Make a project with its owner's membership and, unless it has one elsewhere, its database.

    `options`: those beside the time zone that are not to have their default. `gid`: that of a
    project which is known from elsewhere; a new one otherwise. Raises
    InvalidName, InvalidParameters or InvalidAddress.
    """
    check_address(address)
    gid = gid or uuid4()
    with transaction.atomic():
        project = Project.objects.create(
            name=shown_name(name),
            owner=owner,
            sealed_address=seal_address(address, gid),
            options=merged_options(options or {}, {"timezone": checked_timezone(timezone)}),
            gid=gid,
        )
        membership = Membership.objects.create(
            project=project, user=owner, role=Membership.Role.OWNER
        )
        make_managed_database(project)
        record_project(Action.INSERT, project)
        record_membership(Action.INSERT, membership)
    return project


def update_project(
    *, project: Project, name: str | None = None, options: dict[str, Any] | None = None
) -> None:
    """Change a project's name, or some of its options. Raises InvalidName, InvalidParameters."""
    with transaction.atomic():
        locked = lock_project(project)
        if name is not None:
            locked.name = shown_name(name)
        if options is not None:
            locked.options = merged_options(locked.options, options)
        locked.save(update_fields=["name", "options"])
        record_project(Action.UPDATE, locked)
    project.name, project.options = locked.name, locked.options


def set_address(*, project: Project, address: str) -> None:
    """Point the project at another database. Raises InvalidAddress."""
    check_address(address)
    project.sealed_address = seal_address(address, project.gid)
    project.database_rights = ""
    project.save(update_fields=["sealed_address", "database_rights"])
    make_managed_database(project)
