"""The job that removes what is kept of a project."""

from django.utils import timezone

from backups import pipeline, targets
from backups.models import Backup
from backups.tasks.failures import reasons_for_users
from jobs.errors import JobFailed
from jobs.run import Run
from projects.databases import remove_managed_database


def purge_project(run: Run) -> None:
    """Remove all that is kept of a project that was deleted for good."""
    project = run.job.project
    # Off the lists first: whatever happens from here on, no version is listed that is not there.
    Backup.objects.filter(project=project, deleted_on=None).update(deleted_on=timezone.now())
    with reasons_for_users():
        pipeline.purge(targets.store_of(project), run.progress)
    try:
        remove_managed_database(project)
    except OSError as error:
        raise JobFailed(f"the project's database can't be removed: {error.strerror}") from error
    with run.completion():
        pass
