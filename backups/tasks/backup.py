"""The job that makes a version."""

from collections.abc import Iterator
from contextlib import contextmanager

from backups import pipeline, targets
from backups.errors import DatabaseDamaged
from backups.models import Backup
from backups.parents import parent_for_next
from backups.tasks.columns import columns_of, label_of
from backups.tasks.failures import reasons_for_users
from jobs.events import project_changed
from jobs.run import Run


def backup_project(run: Run) -> None:
    """Make the version that was reserved for this job."""
    project = run.job.project
    backup = Backup.objects.get(job=run.job)
    parent = parent_for_next(project)
    with reasons_for_users(), _advised():
        targets.note_rights(project)
        taken = pipeline.take(
            targets.engine_of(project),
            targets.store_of(project),
            label_of(backup),
            parent_key=parent.manifest_key if parent else None,
            parent_state=parent.source_state if parent else "",
            keep_damaged=bool(run.arguments.get("keep_damaged")),
            progress=run.progress,
        )
    with run.completion(unless_cancelled=True) as events:
        Backup.objects.filter(pk=backup.pk).update(**columns_of(taken))
        events.append(project_changed(project.gid))


@contextmanager
def _advised() -> Iterator[None]:
    """Say what can be done about a database that is refused as damaged."""
    try:
        yield
    except DatabaseDamaged as damaged:
        raise DatabaseDamaged(
            f"{damaged.reason}; a damaged database is not backed up unless the caller insists, by"
            " keep_damaged: true (--keep-damaged)"
        ) from damaged
