from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q, QuerySet

from backups.facts import Findings
from backups.findings import columns_of_findings
from jobs.models import Job
from projects.models import Project


class BackupQuerySet(QuerySet["Backup"]):
    def restorable(self) -> "BackupQuerySet":
        """The versions that exist for clients: made whole, and not deleted."""
        return self.filter(completed_on__isnull=False, deleted_on=None)

    def stored(self) -> "BackupQuerySet":
        """Those whose objects stay in the storage: all that can be restored, and those that were
        found there too damaged to be listed, until they are deleted."""
        return self.filter(deleted_on=None).exclude(manifest_key="")


class Backup(models.Model):
    """A version of a project's database, from the moment in which its number is given.

    Rows are never removed: a number that was given is never given again.
    """

    class Purpose(models.TextChoices):
        ASKED_FOR = "asked_for", "asked for"
        SAFETY = "safety", "before a restore"
        IMPORTED = "imported", "imported from a file"

    class State(models.TextChoices):
        PENDING = "pending"
        COMPLETE = "complete"
        FAILED = "failed"
        DELETED = "deleted"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="backups")
    version = models.PositiveIntegerField()
    name = models.CharField(max_length=200)
    created_by = models.CharField(max_length=200)
    created_on = models.DateTimeField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    purpose = models.CharField(max_length=10, choices=Purpose, default=Purpose.ASKED_FOR)
    # A restore's job makes its safety version, and another one each time that it is begun anew.
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="backups")
    completed_on = models.DateTimeField(null=True)
    deleted_on = models.DateTimeField(null=True)
    # What is known once it is complete.
    parent_version = models.PositiveIntegerField(null=True)
    manifest_key = models.CharField(max_length=200, blank=True)
    content_hash = models.CharField(max_length=64, blank=True)
    unit_size = models.PositiveIntegerField(null=True, help_text="In bytes: a page for SQLite.")
    size = models.BigIntegerField(null=True, help_text="Of the database, in bytes.")
    stored = models.BigIntegerField(null=True, help_text="Added to the storage, in bytes.")
    facts = models.JSONField(default=dict, help_text="Bounded: see backups.findings.")
    # What SQLite or the like says of the database that was backed up, with what verifications have
    # found out since. It refuses no restore: what proves a version is its content's hash.
    damage = models.TextField(blank=True, help_text="Of the database when it was backed up.")
    unchecked = models.TextField(blank=True, help_text="What could not be looked at, and why.")
    remarks = models.JSONField(default=list, help_text="Texts: what to know of an imported file.")
    unchanged = models.BooleanField(default=False, help_text="The content is the parent's.")
    source_state = models.CharField(
        max_length=200,
        blank=True,
        help_text="By what the engine can tell that the database has not been written since.",
    )
    sha256 = models.CharField(
        max_length=64, blank=True, help_text="Of the content; known once somebody needed it."
    )
    # The last verification: when it was, and when it found the version whole or else why not.
    checked_on = models.DateTimeField(null=True)
    verified_on = models.DateTimeField(null=True)
    storage_damage = models.TextField(blank=True, help_text="Of what is stored of the version.")

    objects = BackupQuerySet.as_manager()

    class Meta:
        ordering = ("-version",)
        verbose_name = "version"
        constraints = (
            models.UniqueConstraint(
                fields=("project", "version"), name="a_version_number_is_given_once"
            ),
            models.CheckConstraint(
                condition=Q(completed_on=None) | ~Q(manifest_key=""),
                name="a_complete_version_has_a_manifest",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} (version {self.version} of {self.project})"

    @property
    def state(self) -> str:
        """Derived: a version that has not been completed shares the fate of its job."""
        if self.deleted_on is not None:
            return self.State.DELETED
        if self.completed_on is not None:
            return self.State.COMPLETE
        return self.State.PENDING if self.job.status in Job.ACTIVE else self.State.FAILED

    def record_sha256(self, sha256: str) -> None:
        """Keep the hash, in hex, with all of the project's versions that have the same content."""
        self.sha256 = sha256
        alike = Backup.objects.filter(project=self.project, content_hash=self.content_hash)
        alike.update(sha256=sha256)

    @property
    def database_findings(self) -> Findings:
        """What is known of the database that was backed up, and so of one that is put back."""
        return Findings(self.damage, self.unchecked)

    @property
    def findings(self) -> Findings:
        """What people are told of the version: what is stored of it comes first."""
        return Findings(self.storage_damage or self.damage, self.unchecked)

    def record_findings(self, findings: Findings) -> None:
        """Keep what a verification found out about the database, with all of the project's
        versions that have the same content."""
        alike = Backup.objects.filter(project=self.project, content_hash=self.content_hash)
        for pk, remarks in alike.values_list("pk", "remarks"):
            alike.filter(pk=pk).update(**columns_of_findings(findings, remarks))

    def wire(self) -> dict[str, Any]:
        """The version as it stands in a project's list of versions."""
        return {
            "version": self.version,
            "name": self.name,
            "created_by": self.created_by,
            "timestamp": self.created_on.timestamp(),
        }


class Sweep(models.Model):
    """What a sweep of a project did that ended well; recorded with the end of its job."""

    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="sweep")
    deleted = models.BigIntegerField(help_text="Objects.")
    freed = models.BigIntegerField(help_text="Bytes of what was deleted.")
    written = models.BigIntegerField(help_text="Bytes of what was written anew, without waste.")
    waiting = models.BigIntegerField(help_text="Objects that a later sweep may delete.")

    def __str__(self) -> str:
        return f"sweep of {self.job.project}"


class VersionCounter(models.Model):
    """The next version number of a project; raised under the project's row lock."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="+")
    next_version = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"next version of {self.project}: {self.next_version}"
