"""The version of what a restore is about to write over."""

from dataclasses import replace
from typing import Any

from django.db import transaction
from django.utils import timezone

from backups import pipeline, targets
from backups.engines.interface import Progress, Snapshot
from backups.errors import BackupsError, SafetyNotKept
from backups.facts import Findings
from backups.findings import as_fields
from backups.models import Backup
from backups.numbers import next_version
from backups.parents import lending_to_next
from backups.tasks.columns import columns_of, known_findings, label_of
from jobs.errors import JobFailed
from jobs.events import project_changed
from jobs.models import Job
from jobs.run import Run
from projects.access import lock_project
from projects.errors import NotAllowed

CREATED_BY = "Savepoint"


def safety_info(job: Job) -> dict[str, Any]:
    """What a restore's info tells of the version that its job made of what it wrote over; nothing
    if it made none. Of several, by attempts that were lost, the last."""
    made = Backup.objects.filter(
        job=job, purpose=Backup.Purpose.SAFETY, completed_on__isnull=False
    ).defer("facts")
    backup = made.order_by("-version").first()
    if backup is None:
        return {}
    return {"safety": {"version": backup.version, **as_fields(backup.database_findings)}}


class SafetyVersion:
    """What the database held right before the restore of a version; see `pipeline.Keep`."""

    def __init__(self, run: Run, restored: Backup) -> None:
        self._run = run
        self._restored = restored

    def __call__(self, snapshot: Snapshot, *, progress: Progress) -> None:
        """Store the snapshot, and list it while the job is this worker's.

        From then on it is a version like all others, whatever becomes of the restore: it is true.
        Raises SafetyNotKept, JobFailed, LeaseLost or Cancelled, with no version listed.
        """
        project = self._run.job.project
        backup = self._reserved()
        try:
            lending = lending_to_next(project)
            taken = pipeline.take_snapshot(
                snapshot,
                targets.store_of(project),
                label_of(backup),
                parent_key=lending.parent_key,
                lender_keys=lending.lender_keys,
                progress=progress,
            )
        except BackupsError as error:
            raise SafetyNotKept(error.reason) from error
        findings = self._carried_over(known_findings(backup, taken))
        with self._run.confirmed() as events:
            Backup.objects.filter(pk=backup.pk).update(**columns_of(backup, taken, findings))
            events.append(project_changed(project.gid))

    def _carried_over(self, findings: Findings) -> Findings:
        """The same; or the damage of the version that was put back last, if nobody has found all of
        the database sound since then. Others wait, so there is no time to look now."""
        if findings.damage:
            return findings
        project = self._run.job.project
        restores = Job.objects.filter(
            project=project,
            kind=self._run.job.kind,
            status=Job.Status.DONE,
            error__isnull=True,
            ended_on__isnull=False,
        )
        last = restores.exclude(pk=self._run.job.pk).order_by("-ended_on").first()
        if last is None:
            return findings
        version = last.arguments.get("version")
        restored = Backup.objects.filter(project=project, version=version).defer("facts").first()
        since = Backup.objects.restorable().filter(
            project=project, created_on__gt=last.ended_on, damage=""
        )
        if (
            restored is None
            or not restored.damage
            or since.filter(facts__structure_checked=True).exists()
        ):
            return findings
        return replace(
            findings,
            damage=f"version {version}, which was put back before, is damaged: {restored.damage}",
        )

    def _reserved(self) -> Backup:
        job = self._run.job
        with transaction.atomic():
            try:
                lock_project(job.project)
            except NotAllowed as error:
                raise JobFailed("the project was deleted; nothing was changed") from error
            return Backup.objects.create(
                project=job.project,
                version=next_version(job.project),
                name=f"Before restoring version {self._restored.version}",
                created_by=CREATED_BY,
                created_on=timezone.now(),
                requested_by=job.requested_by,
                purpose=Backup.Purpose.SAFETY,
                job=job,
            )
