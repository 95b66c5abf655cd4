"""The job that makes a version."""

from backups import pipeline, targets
from backups.findings import as_info
from backups.models import Backup
from backups.parents import lending_to_next
from backups.tasks.columns import check_damage, columns_of, known_findings, label_of
from backups.tasks.failures import damage_advised, reasons_for_users
from jobs.events import project_changed
from jobs.run import Run


def backup_project(run: Run) -> None:
    """Make the version that was reserved for this job."""
    project = run.job.project
    backup = Backup.objects.get(job=run.job)
    keep_damaged = bool(run.arguments.get("keep_damaged"))
    with reasons_for_users(), damage_advised("backed up"):
        lending = lending_to_next(project)
        targets.note_rights(project)
        taken = pipeline.take(
            targets.engine_of(project),
            targets.store_of(project),
            label_of(backup),
            parent_key=lending.parent_key,
            lender_keys=lending.lender_keys,
            parent_state=lending.parent_state,
            keep_damaged=keep_damaged,
            progress=run.progress,
        )
        findings = known_findings(backup, taken)
        check_damage(findings, keep_damaged=keep_damaged)
    with run.completion(unless_cancelled=True, findings=as_info(findings)) as events:
        Backup.objects.filter(pk=backup.pk).update(**columns_of(backup, taken, findings))
        events.append(project_changed(project.gid))
