"""Projects whose jobs are done in the tests' own process: no service, no worker."""

from pathlib import Path
from typing import Any

from backups.models import Backup
from backups.services import Requested, create_backup, restore_backup
from jobs.models import Job
from jobs.tasks import run_job
from projects.models import Project


def damage(path: Path) -> None:
    """Write zeros over pages of a database that nobody has open."""
    with path.open("r+b") as file:
        file.seek(4096 * 20)
        file.write(bytes(4096 * 3))


def done(requested: Requested | Any) -> Job:
    """The job, done here; it must end well."""
    run_job(str(requested.job.token))
    job = Job.objects.get(pk=requested.job.pk)
    assert job.ended_well, job.error
    return job


def backed_up(project: Project, **how: Any) -> tuple[Backup, Job]:
    requested = create_backup(project=project, requested_by=None, created_by="tests", **how)
    job = done(requested)
    requested.backup.refresh_from_db()
    return requested.backup, job


def restored(project: Project, version: int, **how: Any) -> Job:
    return done(restore_backup(project=project, requested_by=None, version=version, **how))
