"""The job that puts a project's database back to a version."""

from django.conf import settings

from backups import targets
from backups.findings import as_info
from backups.models import Backup
from backups.tasks.effect import put_in_force, took_effect
from backups.tasks.safety import SafetyVersion, safety_info
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
    # Its row stays, also if the version was deleted since an earlier attempt took effect.
    backup = Backup.objects.defer("facts").get(project=project, version=run.arguments["version"])
    if not took_effect(run):
        if backup.state != Backup.State.COMPLETE:
            raise JobFailed("the version was deleted before its restore began")
        safety = run.arguments.get("safety", settings.SAFETY_VERSIONS)
        put_in_force(
            run,
            targets.store_of(project),
            backup.manifest_key,
            keep=SafetyVersion(run, backup) if safety else None,
        )
    # The content's hash has proved what is in the database now: what was wrong with its storage is
    # of no concern any more.
    findings = as_info(backup.database_findings) | safety_info(run.job)
    with run.completion(findings=findings) as events:
        events.append(project_changed(project.gid))
