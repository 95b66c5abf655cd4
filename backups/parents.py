"""Which version a new one may be compared with, and so share objects with."""

from backups.listing import latest_backup
from backups.models import Backup
from projects.models import Project


def parent_for_next(project: Project) -> Backup | None:
    """The version that lends its objects to the next one; None: the next one is stored whole.

    That is the newest one, unless it may share damaged objects: what is damaged keeps its name
    and often its length, so the next version would lean on it and not notice. Objects are shared
    by descent only, and a version without a parent shares none. So damage in one version casts
    doubt on its family, all versions with the same first ancestor, deleted ones included; but not
    on a version that was found whole after the damage was.
    """
    newest = latest_backup(project)
    rows = Backup.objects.filter(project=project, completed_on__isnull=False)
    damaged = dict(rows.exclude(storage_damage="").values_list("version", "checked_on"))
    if newest is None or not damaged:
        return newest
    parents = dict(rows.values_list("version", "parent_version"))
    family = _first_ancestor(newest.version, parents)
    found_on = [
        moment
        for version, moment in damaged.items()
        if _first_ancestor(version, parents) == family and moment is not None
    ]
    if not found_on or (newest.verified_on is not None and newest.verified_on > max(found_on)):
        return newest
    return None


def _first_ancestor(version: int, parents: dict[int, int | None]) -> int:
    while (parent := parents.get(version)) is not None:
        version = parent
    return version
