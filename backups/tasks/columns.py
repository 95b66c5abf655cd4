"""What becomes known of a version when it has been taken."""

from typing import Any

from django.utils import timezone

from backups.pipeline import Taken


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
