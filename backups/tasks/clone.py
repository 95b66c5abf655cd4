"""The job that makes a new project's database hold a version of another project."""

from typing import Any
from uuid import UUID

from backups import targets
from backups.errors import ObjectMissing
from backups.findings import as_info
from backups.models import Backup
from backups.tasks.effect import put_in_force, took_effect
from jobs.errors import JobFailed
from jobs.events import project_changed
from jobs.run import Run
from projects.access import membership_for
from projects.errors import NotAllowed
from projects.models import Membership, Project


def clone_backup(run: Run) -> None:
    """Fill the new project, whose job this is, with the version; see `restore_project`."""
    if not took_effect(run):
        _fill(run)
    with run.completion(findings=_findings(run)) as events:
        events.append(project_changed(run.job.project.gid))


def _findings(run: Run) -> dict[str, Any]:
    """What is known of the database that the new project holds now."""
    backups = Backup.objects.filter(
        project__gid=UUID(run.arguments["source"]), version=run.arguments["version"]
    )
    backup = backups.defer("facts").first()
    return as_info(backup.database_findings) if backup else {}


def _fill(run: Run) -> None:
    backup = _source(run)
    while True:
        try:
            return put_in_force(run, targets.store_of(backup.project), backup.manifest_key)
        except JobFailed as failure:
            if not isinstance(failure.__cause__, ObjectMissing):
                raise
            # The source's own jobs go on meanwhile: they may have removed the version, or have
            # stored it otherwise.
            read, backup = backup.manifest_key, _source(run)
            if backup.manifest_key == read:
                raise


def _source(run: Run) -> Backup:
    """The version as it is now, if whoever asked for the clone may still read it."""
    source = Project.objects.filter(
        gid=UUID(run.arguments["source"]), status=Project.Status.ACTIVE
    ).first()
    if source is None:
        raise JobFailed("the project that the version is from was deleted")
    asker = run.job.requested_by
    if asker is not None:
        try:
            membership_for(asker, source.gid, Membership.Role.MEMBER)
        except NotAllowed as error:
            reason = "whoever asked for the clone is no member of the version's project any more"
            raise JobFailed(reason) from error
    backups = Backup.objects.restorable().select_related("project")
    backup = backups.filter(project=source, version=run.arguments["version"]).first()
    if backup is None:
        raise JobFailed("the version was deleted before it was cloned")
    return backup
