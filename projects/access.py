"""Who may see and do what, as querysets."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet

from projects.errors import NotAllowed
from projects.models import Membership, Project, User


def gid_of(text: object) -> UUID | None:
    """The gid in this text; None if it isn't one in the form that gids have on the wire."""
    if not isinstance(text, str):
        return None
    try:
        gid = UUID(text)
    except ValueError:
        return None
    return gid if str(gid) == text else None


def memberships_of(user: User) -> QuerySet[Membership]:
    """The user's active memberships in active projects."""
    return Membership.objects.filter(
        user=user, status=Membership.Status.ACTIVE, project__status=Project.Status.ACTIVE
    ).select_related("project", "project__owner", "user")


def visible_project_gids(user: User) -> set[UUID]:
    """The gids of the projects whose events and data the user may see now."""
    return set(memberships_of(user).values_list("project__gid", flat=True))


def membership_for(user: User, project_gid: UUID | None, role: str) -> Membership:
    """The user's membership in this project if it allows what `role` may; raises NotAllowed."""
    if project_gid is None:
        raise NotAllowed
    membership = memberships_of(user).filter(project__gid=project_gid).first()
    if membership is None or not membership.allows(role):
        raise NotAllowed
    return membership


def owned_project(user: User, project_gid: UUID | None) -> Project:
    """The project of this gid, deleted or not, if the user owns it; raises NotAllowed."""
    if project_gid is not None:
        project = Project.objects.filter(owner=user, gid=project_gid).first()
        if project is not None:
            return project
    raise NotAllowed


def lock_project(project: Project) -> Project:
    """Lock the project's row until the commit; raises NotAllowed if it was deleted meanwhile."""
    locked = Project.objects.select_for_update().get(pk=project.pk)
    if locked.status != Project.Status.ACTIVE:
        raise NotAllowed
    return locked


def members_of(projects: Iterable[Project]) -> QuerySet[Membership]:
    """The active memberships of these projects."""
    return Membership.objects.filter(
        project__in=projects, status=Membership.Status.ACTIVE
    ).select_related("project", "user")


def people_known_to(user: User) -> QuerySet[User]:
    """The user, and all with whom the user shares a project."""
    shared = memberships_of(user).values("project")
    return User.objects.filter(
        Q(pk=user.pk)
        | Q(memberships__project__in=shared, memberships__status=Membership.Status.ACTIVE)
    ).distinct()


def readers_of(project_gid: UUID) -> set[UUID]:
    """The gids of the users who may see this project now."""
    return set(
        Membership.objects.filter(
            project__gid=project_gid,
            project__status=Project.Status.ACTIVE,
            status=Membership.Status.ACTIVE,
        ).values_list("user__gid", flat=True)
    )
