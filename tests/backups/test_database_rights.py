"""Whose a database is that a restore makes anew."""

import os
import stat
from pathlib import Path

import pytest

from backups.services import create_backup, restore_backup
from jobs.models import Job
from jobs.tasks import run_job
from projects.databases import managed_path
from projects.models import Project
from projects.services import create_project, create_user, set_address
from tests.backups.engines.other_users import needs_root
from tests.content import content_of, execute

from .disaster import Disaster
from .histories import History

OWNER, GROUP = 50001, 50010


@pytest.fixture
def project() -> Project:
    owner = create_user(username="owner", password="a long enough password")
    project = create_project(name="One", owner=owner)
    execute(managed_path(project), "CREATE TABLE t (x)")
    return project


def run(job: Job) -> None:
    run_job(str(job.token))
    job.refresh_from_db()
    assert job.ended_well, job.error


def rights_of(path: Path) -> tuple[int, int, int]:
    found = os.stat(path)
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_gone_comes_back_with_its_owner_group_and_mode(
    project: Project,
) -> None:
    needs_root()
    path = managed_path(project)
    os.chown(path, OWNER, GROUP)
    path.chmod(0o640)
    run(create_backup(project=project, requested_by=None, created_by="tests").job)
    content = content_of(path)
    path.chmod(0o660)
    run(restore_backup(project=project, requested_by=None, version=1).job)
    path.unlink()
    run(restore_backup(project=project, requested_by=None, version=1).job)
    assert rights_of(path) == (OWNER, GROUP, 0o660), "as a job saw them last"
    assert content_of(path) == content


@pytest.mark.django_db(transaction=True)
def test_the_rights_of_one_database_are_not_those_of_the_next(
    project: Project, tmp_path: Path, settings: object
) -> None:
    managed_path(project).chmod(0o640)
    run(create_backup(project=project, requested_by=None, created_by="tests").job)
    project.refresh_from_db()
    assert project.database_rights.endswith(":640")
    settings.SQLITE_ROOTS = [tmp_path]  # type: ignore[attr-defined]
    set_address(project=project, address=f"sqlite:///{tmp_path}/other.db")
    project.refresh_from_db()
    assert project.database_rights == ""


def test_a_file_that_recovery_replaces_keeps_its_owner_group_and_mode(
    disaster: Disaster, history: History
) -> None:
    needs_root()
    disaster.restore()
    os.chown(disaster.target, OWNER, GROUP)
    disaster.target.chmod(0o664)
    disaster.restore("--force", "--version", "1")
    assert disaster.target.read_bytes() == history.versions[0].content
    assert rights_of(disaster.target) == (OWNER, GROUP, 0o664)
