"""The job that makes a version of an uploaded database file."""

import logging

from backups import pipeline, targets, uploads
from backups.engines.interface import Engine
from backups.errors import SourceError
from backups.findings import as_info
from backups.models import Backup
from backups.parents import lending_to_next
from backups.tasks.columns import check_damage, columns_of, is_listed, known_findings, label_of
from backups.tasks.failures import damage_advised, reasons_for_users
from jobs.errors import JobFailed
from jobs.events import project_changed
from jobs.run import Run

logger = logging.getLogger(__name__)


def import_version(run: Run) -> None:
    """Check all of the file, then make the version that was reserved for it."""
    file: str = run.arguments["file"]
    # Whatever ends this attempt otherwise leaves the file: the job may be begun anew.
    try:
        _import(run, file)
    except JobFailed as failed:
        logger.info("job %s failed: %s", run.job.token, failed.reason)
        with run.failure(failed.reason):
            pass
    # Not before the end is recorded: the next attempt would not find out why this one failed.
    uploads.remove(file)


def _import(run: Run, file: str) -> None:
    project = run.job.project
    path = uploads.kept_path(file)
    backup = Backup.objects.get(job=run.job)
    try:
        present = path.exists()
    except OSError as error:
        raise JobFailed(f"the uploaded file can't be reached: {error.strerror}") from error
    if not present:
        raise JobFailed("the uploaded file is not there any more; import it again")
    engine = targets.engine_of_upload(path)
    keep_damaged = bool(run.arguments.get("keep_damaged"))
    with reasons_for_users(), damage_advised("imported"):
        _look_for_damage(run, engine, keep_damaged=keep_damaged)
        lending = lending_to_next(project)
        taken = pipeline.take(
            engine,
            targets.store_of(project),
            label_of(backup),
            parent_key=lending.parent_key,
            lender_keys=lending.lender_keys,
            keep_damaged=keep_damaged,
            progress=run.progress,
        )
        findings = known_findings(backup, taken)
        check_damage(findings, keep_damaged=keep_damaged)
    if is_listed(backup, taken):
        backup.remarks = []  # nothing is missing from what a version holds already
    with run.completion(
        unless_cancelled=True, findings=as_info(findings, backup.remarks)
    ) as events:
        Backup.objects.filter(pk=backup.pk).update(**columns_of(backup, taken, findings))
        events.append(project_changed(project.gid))


def _look_for_damage(run: Run, engine: Engine, *, keep_damaged: bool) -> None:
    """Look at all of the file, for the snapshot's facts; of one that is kept as it is, as far as
    that can be."""
    try:
        engine.check(lambda: run.progress(run.total, run.remaining))
    except SourceError as error:
        if not keep_damaged:
            raise
        # If the pages can't be read either, that comes up again when they are.
        logger.warning("job %s: the file can't be checked: %s", run.job.token, error.reason)
