"""Which versions a new one may take from, and so share objects with."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from backups import targets
from backups.errors import (
    OBJECT_UNUSABLE,
)
from backups.models import Backup
from backups.store.project import ProjectStore
from projects.models import Project

logger = logging.getLogger(__name__)

# How many doubtful versions, the newest first, are compared with the damaged ones: the others don't
# lend.
_MOST_COMPARED = 64


@dataclass(frozen=True)
class Lending:
    """What a version is taken with: see `pipeline.take`."""

    parent_key: str | None
    parent_state: str
    lender_keys: list[str]


def lending_to_next(project: Project) -> Lending:
    """The versions that lend to the project's next one; the newest of them is the parent.

    To be asked while the project's job is held: then all that is listed stays in the store until
    the job has ended. These are all listed versions but those that may share damaged objects: what
    is damaged keeps its name and often its length, so the next version would lean on it and not
    notice. Damage found in one version, listed or deleted, casts doubt on each version that shares
    an object with it; also where that can't be found out. Not on one that was found whole after
    the damage was found, nor on one that was made after it: that took from versions only that were
    beyond doubt. Raises StorageError when the storage can't be read.
    """
    rows = list(
        Backup.objects.restorable()
        .filter(project=project)
        .order_by("-version")
        .only("version", "manifest_key", "source_state", "completed_on", "verified_on")
    )
    found = Backup.objects.filter(project=project, completed_on__isnull=False)
    damaged = [
        (manifest_key, checked_on)
        for manifest_key, checked_on in found.exclude(storage_damage="").values_list(
            "manifest_key", "checked_on"
        )
        if checked_on is not None
    ]
    if damaged:
        rows = list(_beyond_doubt(targets.store_of(project), rows, damaged))
    parent = rows[0] if rows else None
    return Lending(
        parent_key=parent.manifest_key if parent else None,
        parent_state=parent.source_state if parent else "",
        lender_keys=[row.manifest_key for row in rows],
    )


def _beyond_doubt(
    project_store: ProjectStore, rows: list[Backup], damaged: list[tuple[str, datetime]]
) -> Iterator[Backup]:
    shared: dict[str, set[str] | None] = {}

    def needed(manifest_key: str) -> set[str] | None:
        if manifest_key not in shared:
            shared[manifest_key] = _needed(project_store, manifest_key)
        return shared[manifest_key]

    left = _MOST_COMPARED
    for row in rows:
        doubts = [key for key, found_on in damaged if not _is_later(row, found_on)]
        if doubts:
            if not left:
                continue
            left -= 1
            own = needed(row.manifest_key)
            if own is None or not all(own.isdisjoint(needed(key) or own) for key in doubts):
                continue
        yield row


def _is_later(row: Backup, found_on: datetime) -> bool:
    """Whether the version was made, or found whole, after damage was found elsewhere."""
    return any(
        moment is not None and moment > found_on for moment in (row.verified_on, row.completed_on)
    )


def _needed(project_store: ProjectStore, manifest_key: str) -> set[str] | None:
    """The keys of all objects of a version; None if they can't be told."""
    try:
        return set(project_store.needed_keys(project_store.read_manifest(manifest_key)))
    except OBJECT_UNUSABLE as error:
        logger.info("What a version needs can't be told, so it is in doubt: %s", error.reason)
        return None
