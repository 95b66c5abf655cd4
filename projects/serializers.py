"""Users, projects and memberships as entities of the wire contract."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.conf.locale import LANG_INFO
from django.utils.module_loading import import_string

from projects.models import ApiKey, Membership, Project, User
from projects.options import default_options

Entity = dict[str, Any]


def user_entity(user: User, reader: User) -> Entity:
    """A user as `reader` sees it: the e-mail address is only for oneself."""
    entity = {
        "gid": str(user.gid),
        "username": user.username,
        "name": user.display_name,
        "avatar": None,
        "status": "active" if user.is_active else "disabled",
        "options": user.options,
    }
    if user.pk == reader.pk:
        entity["email"] = user.email
    return entity


def project_entities(projects: Iterable[Project]) -> dict[str, Entity]:
    """Whole projects by gid, with the parts that other apps add to them."""
    projects = list(projects)
    parts = {
        key: import_string(function)(projects) for key, function in settings.PROJECT_PARTS.items()
    }
    return {
        str(project.gid): {
            "gid": str(project.gid),
            "name": project.name,
            "icon": None,
            "owner": str(project.owner.gid),
            "status": project.status,
            "options": default_options() | project.options,
        }
        | {key: part[project.pk] for key, part in parts.items()}
        for project in projects
    }


def membership_entity(membership: Membership) -> Entity:
    return {
        "project_gid": str(membership.project.gid),
        "user_gid": str(membership.user.gid),
        "status": membership.status,
        "roles": membership.roles,
        "options": {},
    }


def language_entities(projects: Iterable[Project]) -> dict[str, Entity]:
    """The languages that these projects use, by code."""
    codes = {
        code
        for project in projects
        for code in (default_options() | project.options)["languages"]
        if isinstance(code, str)
    }
    return {
        code: {"code": code, "name": LANG_INFO.get(code, {}).get("name", code)}
        for code in sorted(codes)
    }


def api_key_entity(api_key: ApiKey, role: str) -> Entity:
    """An API key as its project's owner sees it."""

    def seconds(moment: datetime | None) -> float | None:
        return moment.timestamp() if moment else None

    return {
        "prefix": api_key.prefix,
        "name": api_key.user.name,
        "role": role,
        "created_on": api_key.created_on.timestamp(),
        "last_used_on": seconds(api_key.last_used_on),
        "expires_on": seconds(api_key.expires_on),
        "revoked_on": seconds(api_key.revoked_on),
    }
