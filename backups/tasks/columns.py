"""Between a version's row and its manifest: what is told, and what becomes known."""

from typing import Any

from django.db.models import F, Q
from django.utils import timezone

from backups.facts import Findings, findings_of
from backups.findings import bounded_facts, columns_of_findings
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


def columns_of(taken: Taken, findings: Findings) -> dict[str, Any]:
    """The columns of a version that is complete now; for `findings` see `known_findings`."""
    return {
        "completed_on": timezone.now(),
        "parent_version": taken.parent_version,
        "manifest_key": taken.manifest_key,
        "content_hash": taken.content_hash,
        "unit_size": taken.unit_size,
        "size": taken.size,
        "stored": taken.stored,
        "facts": bounded_facts(taken.facts),
        **columns_of_findings(findings),
        "unchanged": taken.unchanged,
        "source_state": taken.source_state,
    }


def known_findings(backup: Backup, taken: Taken) -> Findings:
    """What is known of the database that was taken: a verification of another version of the
    project with the same content has looked at more than there was time for here."""
    found = findings_of(taken.facts)
    if found.damage:
        return found
    alike = Backup.objects.filter(
        Q(verified_on__isnull=False) | ~Q(damage=""),
        project=backup.project_id,
        content_hash=taken.content_hash,
    ).exclude(pk=backup.pk)
    newest_first = alike.defer("facts").order_by(F("verified_on").desc(nulls_last=True))
    known = newest_first.first()
    return known.database_findings if known else found
