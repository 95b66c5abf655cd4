"""What somebody may still do who asked for it a while ago."""

from django.utils import timezone

from projects.access import memberships_of
from projects.models import ApiKey, Membership, Project, User
from projects.tokens import is_usable


def may_still(user: User, project: Project, *, role: str, permission: str = "") -> bool:
    """Whether the user may, at this moment, do in the project what takes this role.

    An owner may do so in a deleted project too: nobody else could remove it for good.
    `permission`: what takes the place of a membership for those who work in the admin.
    """
    # Read anew: the user that came with a row may be as old as the row.
    found = User.objects.filter(pk=user.pk, is_active=True).first()
    if found is None:
        return False
    if found.kind == User.Kind.API:
        api_key = ApiKey.objects.filter(user=found).first()
        if api_key is None or not is_usable(api_key, timezone.now()):
            return False
    if role == Membership.Role.OWNER and project.owner_id == found.pk:
        return True
    membership = memberships_of(found).filter(project=project).first()
    if membership is not None and membership.allows(role):
        return True
    return bool(permission) and found.is_staff and found.has_perm(permission)
