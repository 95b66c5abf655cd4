"""What can be done with people, projects and API keys."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from projects.authentication import hash_secret
from projects.changes import Action, record_membership, record_project, record_user
from projects.databases import MANAGED, check_address, make_managed_database, seal_address
from projects.models import ApiKey, Membership, Project, User


@dataclass(frozen=True)
class NewApiKey:
    """A key just made. `text` is not kept anywhere: it can be shown only now."""

    api_key: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"NewApiKey({self.api_key.prefix})"


def create_user(*, username: str, password: str, name: str = "", **fields: Any) -> User:
    """Make a person who can sign in."""
    with transaction.atomic():
        user: User = User.objects.create_user(username, password=password, name=name, **fields)
        record_user(Action.INSERT, user)
    return user


def create_project(*, name: str, owner: User, address: str = MANAGED) -> Project:
    """Make a project with its owner's membership and, unless it has one elsewhere, its database.

    Raises InvalidAddress.
    """
    check_address(address)
    with transaction.atomic():
        project = Project.objects.create(
            name=name, owner=owner, sealed_address=seal_address(address)
        )
        membership = Membership.objects.create(
            project=project, user=owner, role=Membership.Role.OWNER
        )
        make_managed_database(project)
        record_project(Action.INSERT, project)
        record_membership(Action.INSERT, membership)
    return project


def set_address(*, project: Project, address: str) -> None:
    """Point the project at another database. Raises InvalidAddress."""
    check_address(address)
    project.sealed_address = seal_address(address)
    project.save(update_fields=["sealed_address"])
    make_managed_database(project)


def set_member(*, project: Project, user: User, role: str) -> Membership:
    """Make the user an active member with this role, new or changed."""
    with transaction.atomic():
        membership, created = Membership.objects.update_or_create(
            project=project,
            user=user,
            defaults={"role": role, "status": Membership.Status.ACTIVE},
        )
        record_membership(Action.INSERT if created else Action.UPDATE, membership)
    return membership


def remove_member(*, membership: Membership) -> None:
    """End a membership. What the user did stays."""
    with transaction.atomic():
        membership.status = Membership.Status.REMOVED
        membership.save(update_fields=["status"])
        record_membership(Action.DELETE, membership)


def create_api_key(
    *,
    project: Project,
    name: str,
    role: str = Membership.Role.MEMBER,
    expires_on: datetime | None = None,
) -> NewApiKey:
    """Make a key to this project and the user that it acts as, who can never be an owner."""
    if role == Membership.Role.OWNER:
        raise ValueError("an API key can't own a project")
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    with transaction.atomic():
        user = User(username=f"api-{prefix}", name=name, kind=User.Kind.API)
        user.set_unusable_password()
        user.save()
        api_key = ApiKey.objects.create(
            project=project,
            user=user,
            prefix=prefix,
            secret_hash=hash_secret(secret),
            expires_on=expires_on,
        )
        set_member(project=project, user=user, role=role)
    return NewApiKey(api_key, f"sp_{prefix}_{secret}")


def revoke_api_key(*, api_key: ApiKey) -> None:
    """End a key and every session begun with it, at once."""
    with transaction.atomic():
        revoked = ApiKey.objects.filter(pk=api_key.pk, revoked_on=None)
        if revoked.update(revoked_on=timezone.now()):
            remove_member(
                membership=Membership.objects.get(project=api_key.project, user=api_key.user)
            )
            record_user(Action.UPDATE, api_key.user)
