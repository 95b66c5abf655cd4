"""What each kind of job does. Runs in a worker; settings.JOB_TASKS names these functions."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.utils import timezone

from backups import pipeline, targets
from backups.errors import BackupsError, DatabaseBusy
from backups.listing import latest_backup
from backups.models import Backup
from jobs.errors import JobFailed
from jobs.events import project_changed
from jobs.run import Run
from projects.databases import remove_managed_database


@contextmanager
def _reasons_for_users() -> Iterator[None]:
    """Turn what the backup core says into the job's failure."""
    try:
        yield
    except BackupsError as error:
        raise JobFailed(error.reason) from error


def backup_project(run: Run) -> None:
    """Make the version that was reserved for this job."""
    project = run.job.project
    backup = Backup.objects.get(job=run.job)
    parent = latest_backup(project)
    label = pipeline.VersionLabel(
        version=backup.version,
        name=backup.name,
        created_by=backup.created_by,
        created_on=backup.created_on.timestamp(),
    )
    with _reasons_for_users():
        taken = pipeline.take(
            targets.engine_of(project),
            targets.store_of(project),
            label,
            parent_key=parent.manifest_key if parent else None,
            progress=run.progress,
        )
    with run.completion(unless_cancelled=True) as events:
        Backup.objects.filter(pk=backup.pk).update(
            completed_on=timezone.now(),
            parent_version=taken.parent_version,
            manifest_key=taken.manifest_key,
            content_hash=taken.content_hash,
            unit_size=taken.unit_size,
            size=taken.size,
            stored=taken.stored,
            facts=taken.facts,
        )
        events.append(project_changed(project.gid))


def restore_project(run: Run) -> None:
    """Put the project's database back to a version, in place, all or nothing.

    An attempt that finds that an earlier one took effect, and was lost before it could say so,
    changes nothing: what was written since must not be lost.
    """
    project = run.job.project
    backup = (
        Backup.objects.restorable().filter(project=project, version=run.arguments["version"])
    ).first()
    if backup is None:
        raise JobFailed("the version was deleted before its restore began")
    earlier = run.job.checkpoint
    try:
        with _reasons_for_users():
            engine = targets.engine_of(project)
            if not (earlier and engine.holds(earlier)):
                pipeline.restore(
                    engine,
                    targets.store_of(project),
                    backup.manifest_key,
                    before_commit=run.save_checkpoint,
                    progress=run.progress,
                )
    except JobFailed as failure:
        if earlier and isinstance(failure.__cause__, DatabaseBusy):
            # Whoever holds the lock may be the earlier attempt, at its commit.
            reason = "an earlier attempt may still hold the database, and take effect"
            raise JobFailed(reason) from failure
        raise
    with run.completion() as events:
        events.append(project_changed(project.gid))


def purge_project(run: Run) -> None:
    """Remove all that is kept of a project that was deleted for good."""
    project = run.job.project
    # Off the lists first: whatever happens from here on, no version is listed that is not there.
    Backup.objects.filter(project=project, deleted_on=None).update(deleted_on=timezone.now())
    with _reasons_for_users():
        pipeline.purge(targets.store_of(project), run.progress)
    try:
        remove_managed_database(project)
    except OSError as error:
        raise JobFailed(f"the project's database can't be removed: {error.strerror}") from error
    with run.completion():
        pass
