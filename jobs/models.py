import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from projects.models import Project


class Job(models.Model):
    """One backup or restore or the like of a project, from the call to its end.

    queued -> processing -> done, or queued -> rejected. A worker that is lost, or a cluster that
    stops, puts a processing job back to queued. `done` has ended well unless `error` is set.
    Only jobs/lifecycle.py writes rows.
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        PROCESSING = "processing"
        DONE = "done"
        REJECTED = "rejected"

    ACTIVE = (Status.QUEUED, Status.PROCESSING)

    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=40)
    arguments = models.JSONField(default=dict, help_text="What the kind of job needs: ids only.")
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    total = models.BigIntegerField(default=0, help_text="In the engine's own unit.")
    remaining = models.BigIntegerField(default=0, help_text="Never rises.")
    error = models.JSONField(null=True, help_text="As clients see it in info.error.")
    findings = models.JSONField(
        default=dict, help_text="What a job that ended well found out, as clients see it in info."
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_on = models.DateTimeField()
    updated_on = models.DateTimeField()
    started_on = models.DateTimeField(null=True)
    ended_on = models.DateTimeField(null=True)
    cancel_requested_on = models.DateTimeField(null=True)
    hinted_on = models.DateTimeField(help_text="When its token was last put on the queue.")
    # The lease: whoever claimed the job under this number may write to it until it is lost.
    lease_number = models.IntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=200, blank=True)
    checkpoint = models.CharField(
        max_length=100,
        blank=True,
        help_text="By what a later attempt can tell whether an earlier one took effect.",
    )
    losses = models.IntegerField(default=0, help_text="How many workers were lost with it.")

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("project",),
                condition=Q(status="processing"),
                name="one_job_at_a_time_for_a_project",
            ),
        )
        indexes = (
            models.Index(
                fields=("project", "id"),
                condition=Q(status="queued"),
                name="waiting_jobs_in_order",
            ),
            models.Index(
                fields=("lease_until",), condition=Q(status="processing"), name="running_leases"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.token}"

    @property
    def info(self) -> dict[str, Any]:
        """The job's progress, and its error if it failed or else what it found out, as clients see
        them."""
        info: dict[str, Any] = {"total": self.total, "remaining": self.remaining, **self.findings}
        if self.error is not None:
            info["error"] = self.error
        return info

    def wire(self) -> dict[str, Any]:
        """The job as its events tell it."""
        return {
            "project_gid": str(self.project.gid),
            "job": self.kind,
            "status": self.status,
            "info": self.info,
            "created_on": self.created_on.timestamp(),
            "updated_on": self.updated_on.timestamp(),
        }

    @property
    def ended_well(self) -> bool:
        return self.status == self.Status.DONE and self.error is None

    @property
    def percent(self) -> int:
        """How much of the job is done, in whole percent."""
        if not self.total:
            return 100 if self.ended_well else 0
        return 100 * (self.total - self.remaining) // self.total


class Event(models.Model):
    """Something that happened, numbered by its cursor in the order in which it became visible.

    Seen by the active members of `project_gid`, or by the user `user_gid`.
    """

    cursor = models.BigIntegerField(primary_key=True)
    action = models.CharField(max_length=6)
    data_type = models.CharField(max_length=30)
    data_key = models.CharField(max_length=80)
    data = models.JSONField(null=True)
    project_gid = models.UUIDField(null=True)
    user_gid = models.UUIDField(null=True)
    created_on = models.DateTimeField()

    class Meta:
        ordering = ("cursor",)
        indexes = (
            models.Index(fields=("project_gid", "cursor"), name="events_of_a_project"),
            models.Index(fields=("user_gid", "cursor"), name="events_of_a_user"),
            models.Index(fields=("created_on",), name="events_by_age"),
        )

    def __str__(self) -> str:
        return f"{self.cursor} {self.action} {self.data_type}"


class EventLog(models.Model):
    """The log's one row. Its lock orders all writers, so that cursors appear in their order."""

    last_cursor = models.BigIntegerField(default=0)
    trimmed_cursor = models.BigIntegerField(default=0, help_text="The last that was deleted.")
    epoch = models.UUIDField(default=uuid.uuid4, help_text="Another one: another log.")

    def __str__(self) -> str:
        return f"log {self.epoch} at {self.last_cursor}"
