"""Between a version's row and its manifest: what is told, and what becomes known."""

from dataclasses import replace
from typing import Any

from django.db.models import F, Q
from django.utils import timezone

from backups.errors import DatabaseDamaged
from backups.facts import CHECKED_BY, Findings, findings_of
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


def columns_of(backup: Backup, taken: Taken, findings: Findings) -> dict[str, Any]:
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
        **columns_of_findings(findings, backup.remarks),
        "unchanged": taken.unchanged,
        "source_state": taken.source_state,
    }


def known_findings(backup: Backup, taken: Taken) -> Findings:
    """What is known of the database that was taken: a verification of another version of the
    project with the same content has looked at more than there was time for here."""
    found = findings_of(taken.facts)
    if found.damage or _has_looked_at_all(taken):
        return found
    alike = Backup.objects.filter(
        Q(verified_on__isnull=False) | ~Q(damage=""),
        project=backup.project_id,
        content_hash=taken.content_hash,
    ).exclude(pk=backup.pk)
    newest_first = alike.defer("facts").order_by(F("verified_on").desc(nulls_last=True))
    known = newest_first.first()
    return replace(known.database_findings, values=found.values) if known else found


def _has_looked_at_all(taken: Taken) -> bool:
    """Whether the look that this version was made with is the fullest that there is."""
    return "integrity_check" in str(taken.facts.get(CHECKED_BY, ""))


def check_damage(findings: Findings, *, keep_damaged: bool) -> None:
    """Raise DatabaseDamaged for a database that an earlier look at the same content has found
    damaged, unless it is kept."""
    if findings.damage and not keep_damaged:
        raise DatabaseDamaged(findings.damage)


def is_listed(backup: Backup, taken: Taken) -> bool:
    """Whether another version of the project has the same content."""
    listed = Backup.objects.restorable().filter(project=backup.project_id)
    return listed.filter(content_hash=taken.content_hash).exclude(pk=backup.pk).exists()
