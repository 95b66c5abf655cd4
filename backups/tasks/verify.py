"""The job that finds out whether a version is whole."""

from django.utils import timezone

from backups import targets
from backups.audit import audit
from backups.errors import VersionDamaged
from backups.findings import as_info
from backups.models import Backup
from backups.tasks.failures import reasons_for_users
from jobs.errors import JobFailed
from jobs.events import project_changed
from jobs.run import Run


def verify_backup(run: Run) -> None:
    """Verify a version, and note when that was and what was found.

    Damage of what is stored is noted in the transaction that ends the job, as an error of the job
    too. What is wrong with the database in a version that is whole is no failure: it is noted, and
    put into the job's info. When it can't be found out, for want of room or of the storage, nothing
    is noted of the version.
    """
    project = run.job.project
    backup = (
        Backup.objects.restorable().filter(project=project, version=run.arguments["version"])
    ).first()
    if backup is None:
        raise JobFailed("the version was deleted before its verification began")
    row = Backup.objects.filter(pk=backup.pk)
    began = timezone.now()
    with reasons_for_users():
        try:
            audited = audit(
                targets.engine_of(project),
                targets.store_of(project),
                backup.manifest_key,
                progress=run.progress,
            )
        except VersionDamaged as damaged:
            with run.failure(damaged.reason) as events:
                row.update(checked_on=began, verified_on=None, storage_damage=damaged.reason)
                events.append(project_changed(project.gid))
            return
    with run.completion(findings=as_info(audited.findings)) as events:
        row.update(checked_on=began, verified_on=began, storage_damage="")
        backup.record_findings(audited.findings)
        if audited.sha256:
            # So that its first download need not be read twice.
            backup.record_sha256(audited.sha256)
        events.append(project_changed(project.gid))
