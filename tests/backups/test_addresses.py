"""Whose file a project's address leads to is decided by the file, not by its name."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as in_force

from backups.services import create_backup, restore_backup
from jobs.models import Job
from jobs.tasks import run_job
from projects.databases import managed_path
from projects.models import Project
from projects.services import create_project, create_user, set_address
from tests.backups.engines.other_users import needs_root
from tests.content import content_of, execute

THEIRS, OTHERS = 50001, 50002

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(tmp_path: Path, settings: Any) -> Project:
    settings.SQLITE_ROOTS = [tmp_path.resolve()]
    owner = create_user(username="owner", password="a long enough password")
    return create_project(name="One", owner=owner)


def filled(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    execute(path, "CREATE TABLE t (x)")
    execute(path, f"INSERT INTO t VALUES ('{text}')")
    return path


def backed_up(project: Project) -> Job:
    job = create_backup(project=project, requested_by=None, created_by="tests").job
    run_job(str(job.token))
    job.refresh_from_db()
    return job


def test_a_link_to_a_file_of_another_owner_leads_nowhere(project: Project, tmp_path: Path) -> None:
    needs_root()
    link = tmp_path / "theirs" / "x.db"
    mine = filled(tmp_path / "theirs" / "mine.db", "mine")
    secret = filled(tmp_path / "others" / "secret.db", "of another")
    os.chown(mine, THEIRS, THEIRS)
    os.chown(secret, OTHERS, OTHERS)
    set_address(project=project, address=f"sqlite:///{link}")

    link.symlink_to(mine)
    os.lchown(link, THEIRS, THEIRS)
    job = backed_up(project)
    assert job.ended_well, job.error

    link.unlink()
    link.symlink_to(secret)
    os.lchown(link, THEIRS, THEIRS)
    job = backed_up(project)
    assert "not its owner's" in job.error["info"]["reason"]
    job = restore_backup(project=project, requested_by=None, version=1).job
    before = secret.read_bytes()
    run_job(str(job.token))
    job.refresh_from_db()
    assert "not its owner's" in job.error["info"]["reason"]
    assert secret.read_bytes() == before

    os.lchown(link, 0, 0)  # an administrator has put it there
    job = backed_up(project)
    assert job.ended_well, job.error
    assert content_of(link) == content_of(secret)


@pytest.mark.parametrize("theirs", ["managed", "control"])
def test_a_hard_link_to_a_file_of_ours_is_none_of_a_project(
    project: Project, tmp_path: Path, settings: Any, theirs: str
) -> None:
    if theirs == "managed":
        owner = create_user(username="other", password="a long enough password")
        target = managed_path(create_project(name="Other", owner=owner))
        execute(target, "CREATE TABLE t (x)")
    else:
        target = Path(in_force.DATABASES["default"]["NAME"])
    path = tmp_path / "x.db"
    try:
        os.link(target, path)
    except OSError:
        pytest.skip("the data folder is on another file system")
    set_address(project=project, address=f"sqlite:///{path}")
    try:
        job = backed_up(project)
        assert "Savepoint's own files" in job.error["info"]["reason"]
    finally:
        path.unlink()
