"""Who belongs to a project, and the keys to it: what its owner may change."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from projects.access import lock_project, members_of
from projects.authentication import hash_secret
from projects.changes import Action, record_membership, record_user
from projects.errors import InvalidParameters
from projects.models import ApiKey, Membership, Project, User
from projects.names import shown_name

GIVEN_ROLES = (Membership.Role.MEMBER, Membership.Role.VIEWER)


@dataclass(frozen=True)
class NewApiKey:
    """A key just made. `text` is not kept anywhere: it can be shown only now."""

    api_key: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"NewApiKey({self.api_key.prefix})"


def set_member(*, project: Project, user: User, role: str) -> Membership:
    """Make the user an active member with this role, new or changed.

    Raises InvalidParameters for the owner, who stays owner, and for a role that can't be given.
    """
    if role not in GIVEN_ROLES:
        raise InvalidParameters(role=f"must be {' or '.join(GIVEN_ROLES)}")
    if user.pk == project.owner_id:
        raise InvalidParameters(user="is the owner")
    with transaction.atomic():
        lock_project(project)
        # To clients, somebody who was removed and comes back is as new as somebody new.
        present = members_of([project]).filter(user=user).first()
        if present is not None and present.role == role:
            return present
        membership, _ = Membership.objects.update_or_create(
            project=project,
            user=user,
            defaults={"role": role, "status": Membership.Status.ACTIVE},
        )
        record_membership(Action.UPDATE if present else Action.INSERT, membership)
    return membership


def remove_member(*, membership: Membership) -> None:
    """End a membership. What the user did stays. Raises InvalidParameters for the owner's."""
    if membership.user_id == membership.project.owner_id:
        raise InvalidParameters(user="is the owner")
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
    """Make a key to this project and the user that it acts as, who can never be an owner.

    Raises InvalidName or InvalidParameters.
    """
    if expires_on is not None and expires_on <= timezone.now():
        raise InvalidParameters(expires_on="must be in the future")
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    user = User(username=f"api-{prefix}", name=shown_name(name), kind=User.Kind.API)
    user.set_unusable_password()
    with transaction.atomic():
        lock_project(project)
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
