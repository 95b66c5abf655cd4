"""The job that puts a project's database back to a version."""

from django.conf import settings

from backups import targets
from backups.models import Backup
from backups.tasks.effect import put_in_force, took_effect
from backups.tasks.safety import SafetyVersion
from jobs.errors import JobFailed
from jobs.events import project_changed
from jobs.run import Run


def restore_project(run: Run) -> None:
    """Put the project's database back to a version, in place, all or nothing.

    What it holds is listed as a version of its own before it is written over, unless the asker
    does not want that. An attempt that is done again after a lost worker makes another one.
    An attempt that finds that an earlier one took effect, and was lost before it could say so,
    changes nothing: what was written since must not be lost.
    """
    project = run.job.project
    if not took_effect(run):
        backup = (
            Backup.objects.restorable().filter(project=project, version=run.arguments["version"])
        ).first()
        if backup is None:
            raise JobFailed("the version was deleted before its restore began")
        safety = run.arguments.get("safety", settings.SAFETY_VERSIONS)
        put_in_force(
            run,
            targets.store_of(project),
            backup.manifest_key,
            keep=SafetyVersion(run, backup) if safety else None,
        )
    with run.completion() as events:
        events.append(project_changed(project.gid))
