"""Between a version's row and its manifest: what is told, and what becomes known."""

from typing import Any

from django.utils import timezone

from backups.models import Backup
from backups.pipeline import Taken, VersionLabel


def label_of(backup: Backup) -> VersionLabel:
    """What the manifest says of the version that was reserved."""
    return VersionLabel(
        version=backup.version,
        name=backup.name,
        created_by=backup.created_by,
        created_on=backup.created_on.timestamp(),
    )


def columns_of(taken: Taken) -> dict[str, Any]:
    """The columns of a version that is complete now."""
    return {
        "completed_on": timezone.now(),
        "parent_version": taken.parent_version,
        "manifest_key": taken.manifest_key,
        "content_hash": taken.content_hash,
        "unit_size": taken.unit_size,
        "size": taken.size,
        "stored": taken.stored,
        "facts": taken.facts,
        "unchanged": taken.unchanged,
        "source_state": taken.source_state,
    }
