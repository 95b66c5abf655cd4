"""Finds what a command line names: projects by gid or unique name, users by username or gid."""

from django.core.management.base import CommandError

from projects.access import gid_of
from projects.management.base import shown
from projects.models import Project, User
from projects.parameters import unshowable

PROJECT_HELP = "a project's gid, or its name if no other project has it"
USER_HELP = "a username or a user's gid"


def _checked(text: str) -> None:
    if unshowable(text):
        raise CommandError(f"{shown(text)!r} is no name")


def find_project(text: str) -> Project:
    """The project that is meant, a deleted one included."""
    _checked(text)
    gid = gid_of(text.lower())
    if gid is not None and (project := Project.objects.filter(gid=gid).first()):
        return project
    found = list(Project.objects.filter(name=text)[:10])
    if not found:
        raise CommandError(f"there is no project {shown(text)!r}")
    if len(found) > 1:
        gids = "".join(f"\n  {project.gid} ({project.status})" for project in found)
        raise CommandError(f"several projects are named {shown(text)!r}; give the gid:{gids}")
    return found[0]


def find_active_project(text: str) -> Project:
    """The project that is meant, unless it is deleted."""
    project = find_project(text)
    if project.status != Project.Status.ACTIVE:
        raise CommandError(f"the project {shown(project.name)!r} ({project.gid}) is deleted")
    return project


def find_person(text: str) -> User:
    """The person who is meant; not an API key's user, nor one who may not sign in."""
    _checked(text)
    gid = gid_of(text.lower())
    user = User.objects.filter(username=text).first()
    if user is None and gid is not None:
        user = User.objects.filter(gid=gid).first()
    if user is None:
        raise CommandError(f"there is no user {shown(text)!r}")
    if user.kind != User.Kind.PERSON:
        raise CommandError(f"{user.username} is the user of an API key, not a person")
    if not user.is_active:
        raise CommandError(f"{user.username} is disabled")
    return user
