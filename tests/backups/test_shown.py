"""Damage is told wherever people look: before a restore, after a job, with the version."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backups.cloning import clone_backup
from backups.demo.catalogue import write_catalogue
from backups.models import Backup
from backups.services import create_backup, restore_backup
from backups.verification import verify_backup
from jobs.models import Event, Job
from jobs.tasks import run_job
from projects.databases import managed_path
from projects.models import Project
from projects.services import create_project
from tests.api import Api
from tests.backups.disaster import make_unreadable
from tests.backups.in_process import backed_up, damage, done, restored
from tests.content import content_of, execute
from tests.staff import superuser

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    project = create_project(name="One", owner=superuser())
    write_catalogue(managed_path(project), 1)
    return project


@pytest.fixture
def api(project: Project) -> Api:
    return Api(project, project.owner)


def last_event(job: Job) -> dict[str, Any]:
    found = Event.objects.filter(data_key=str(job.token)).order_by("cursor").last()
    assert found is not None
    assert found.data is not None
    return dict(found.data)


@pytest.fixture
def damaged(project: Project) -> Backup:
    """A version of a damaged database, and that database still there."""
    damage(managed_path(project))
    return backed_up(project, keep_damaged=True)[0]


def test_a_backup_of_a_sound_database_tells_of_no_damage(project: Project, api: Api) -> None:
    backup, job = backed_up(project)
    assert "damage" not in job.info
    (told,) = api.call("backups/get", version=backup.version)["backups"]
    assert told["damage"] is None


def test_a_version_of_a_damaged_database_says_so_where_it_is_listed(
    damaged: Backup, api: Api
) -> None:
    info = last_event(damaged.job)["info"]
    assert info["damage"]
    assert info["remaining"] == 0
    (told,) = api.call("backups/get")["backups"]
    assert told["damage"] == info["damage"]
    assert told["unchecked"] is None or told["unchecked"]


def test_an_unchanged_version_of_a_damaged_database_says_so_too(
    damaged: Backup, project: Project
) -> None:
    again, job = backed_up(project, keep_damaged=True)
    assert again.unchanged
    assert job.info["damage"] == again.damage == damaged.damage


def test_what_a_verification_found_out_is_known_of_a_later_version_of_the_same_content(
    project: Project,
) -> None:
    first, _ = backed_up(project)
    Backup.objects.update(verified_on=first.completed_on, damage="found later", unchecked="")
    again, job = backed_up(project, keep_damaged=True)
    assert again.content_hash == first.content_hash
    assert job.info["damage"] == again.damage == "found later"
    _, job = create_backup(project=project, requested_by=None, created_by="me")
    run_job(str(job.token))
    job.refresh_from_db()
    assert "found later" in job.info["error"]["info"]["reason"]


def test_a_safety_version_of_what_a_damaged_version_has_left_tells_of_the_damage(
    damaged: Backup, project: Project
) -> None:
    for _ in range(2):
        job = restore_backup(
            project=project, requested_by=None, version=damaged.version, safety=True
        ).job
        run_job(str(job.token))
        job.refresh_from_db()
        assert job.info.get("error") is None
    kept = Backup.objects.get(version=job.info["safety"]["version"])
    assert damaged.damage in kept.damage
    assert f"version {damaged.version}, which was put back before" in kept.damage


def test_before_a_restore_its_answer_tells_of_damage_and_on_a_trial_nothing_is_begun(
    damaged: Backup, project: Project, api: Api
) -> None:
    jobs, before = Job.objects.count(), content_hash(managed_path(project))
    dry = api.call("backups/restore", version=damaged.version, dry=True)
    assert dry == {
        "project": str(project.gid),
        "version": damaged.version,
        "last_restored": damaged.created_on.timestamp(),
        "damage": damaged.damage,
        "unchecked": damaged.unchecked or None,
        "safety": True,
    }
    assert Job.objects.count() == jobs
    assert content_hash(managed_path(project)) == before
    told = api.call("backups/restore", version=damaged.version, dry=False)
    assert {name: told[name] for name in dry if name != "safety"} == {
        name: dry[name] for name in dry if name != "safety"
    }
    assert "job.token" in told


def test_a_trial_says_whether_a_safety_version_would_be_made(project: Project, api: Api) -> None:
    backup, _ = backed_up(project)

    def safety(**how: Any) -> Any:
        return api.call("backups/restore", version=backup.version, dry=True, **how)["safety"]

    assert safety() is True
    assert safety(safety=False) is False
    managed_path(project).unlink()
    assert safety() is False


def test_a_trial_is_refused_for_what_the_call_is_refused_for(project: Project, api: Api) -> None:
    backup, _ = backed_up(project)
    for way in ("restore", "clone"):
        assert api.refused(f"backups/{way}", version=99, dry=True) == (422, {"version": 99})
        assert api.refused(f"backups/{way}", version=1, dry="yes")[0] == 400
    assert api.refused("backups/clone", version=1, dry=True, name=" ")[0] == 1001
    Backup.objects.filter(pk=backup.pk).update(manifest_key="nowhere/manifests/1")
    for way in ("restore", "clone"):
        assert api.refused(f"backups/{way}", version=1, dry=True)[0] == 1003
    assert Project.objects.count() == 1


def test_a_clone_tells_of_damage_and_on_a_trial_makes_no_project(
    damaged: Backup, project: Project, api: Api
) -> None:
    dry = api.answer("backups/clone", version=damaged.version, dry=True, name="Another")
    assert dry["result"] == {
        "project": str(project.gid),
        "version": damaged.version,
        "damage": damaged.damage,
        "unchecked": damaged.unchecked or None,
    }
    assert dry["data"] == {}
    assert Project.objects.count() == 1
    told = api.call("backups/clone", version=damaged.version)
    assert told["damage"] == damaged.damage
    assert told["project"] != str(project.gid)


def content_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_restores_job_tells_of_the_version_that_it_put_back(
    project: Project,
) -> None:
    backup, _ = backed_up(project)
    Backup.objects.filter(pk=backup.pk).update(damage="a broken page", unchecked="a collation")
    execute(managed_path(project), "DELETE FROM images")
    info = last_event(restored(project, backup.version))["info"]
    assert (info["damage"], info["unchecked"]) == ("a broken page", "a collation")
    safety = info["safety"]
    assert safety["version"] == 2
    assert safety["damage"] is None
    clone = done(clone_backup(project=project, owner=project.owner, requested_by=None, version=1))
    assert clone.info["damage"] == "a broken page"
    assert "safety" not in clone.info


def test_a_restore_without_a_safety_version_tells_of_none(project: Project) -> None:
    backup, _ = backed_up(project)
    assert "safety" not in restored(project, backup.version, safety=False).info


def test_a_restore_over_a_damaged_database_tells_of_its_safety_versions_damage(
    project: Project,
) -> None:
    backup, _ = backed_up(project)
    saved = content_of(managed_path(project))
    damage(managed_path(project))
    info = restored(project, backup.version).info
    assert "damage" not in info
    assert info["safety"]["version"] == 2
    assert info["safety"]["damage"] or info["safety"]["unchecked"]
    assert content_of(managed_path(project)) == saved


def test_a_verification_of_a_damaged_databases_version_ends_well_and_tells_of_it(
    damaged: Backup, project: Project
) -> None:
    job = done(verify_backup(project=project, requested_by=None, version=damaged.version))
    assert job.info["damage"]
    verified = Backup.objects.get(pk=damaged.pk)
    assert verified.verified_on is not None
    assert verified.storage_damage == ""
    assert verified.damage == job.info["damage"]


def test_a_verification_that_looks_at_more_than_the_backup_says_so_of_all_with_the_content(
    project: Project, api: Api, settings: Any
) -> None:
    settings.CHECK_SECONDS = 0
    first, job = backed_up(project)
    second, _ = backed_up(project)
    assert job.info["unchecked"] == first.unchecked == second.unchecked != ""
    assert (
        "unchecked"
        not in done(verify_backup(project=project, requested_by=None, version=first.version)).info
    )
    told = api.call("backups/get")["backups"]
    assert [(one["damage"], one["unchecked"]) for one in told] == [(None, None), (None, None)]
    assert backed_up(project)[0].unchecked == ""


COLLATED = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.create_collation("THEIRS", lambda a, b: (a > b) - (a < b))
connection.execute("CREATE TABLE named(name TEXT COLLATE THEIRS)")
connection.execute("CREATE INDEX by_name ON named(name)")
connection.execute("INSERT INTO named VALUES ('a'), ('b')")
connection.commit()
"""


def test_what_can_not_be_checked_is_told_and_is_no_damage(project: Project, api: Api) -> None:
    subprocess.run([sys.executable, "-c", COLLATED, str(managed_path(project))], check=True)
    backup, job = backed_up(project)
    assert "THEIRS" in job.info["unchecked"]
    assert "damage" not in job.info
    verified = done(verify_backup(project=project, requested_by=None, version=backup.version))
    assert "THEIRS" in verified.info["unchecked"]
    (told,) = api.call("backups/get")["backups"]
    assert (told["damage"], told["verified_on"] is None) == (None, False)
    assert "THEIRS" in told["unchecked"]
    info = restored(project, backup.version).info
    assert "damage" not in info
    assert "THEIRS" in info["unchecked"]


def test_damage_of_the_storage_stands_before_that_of_the_database(
    damaged: Backup, project: Project, api: Api, settings: Any
) -> None:
    for pack in Path(settings.STORE_DIR).glob(f"{project.gid}/packs/*/*"):
        pack.unlink()
    requested = verify_backup(project=project, requested_by=None, version=damaged.version)
    run_job(str(requested.job.token))
    reason = Job.objects.get(pk=requested.job.pk).info["error"]["info"]["reason"]
    (told,) = api.call("backups/get", version=damaged.version)["backups"]
    assert (told["damage"], told["verified_on"]) == (reason, None)
    assert Backup.objects.get(pk=damaged.pk).damage == damaged.damage


def test_an_object_that_can_not_be_opened_is_no_finding_of_a_verification(
    project: Project, api: Api, settings: Any
) -> None:
    backup, _ = backed_up(project)
    store = Path(settings.STORE_DIR)
    for table in [*store.glob(f"{project.gid}/tables/**/*")]:
        if table.is_file():
            make_unreadable(table)
    requested = verify_backup(project=project, requested_by=None, version=backup.version)
    run_job(str(requested.job.token))
    error = Job.objects.get(pk=requested.job.pk).info["error"]["info"]
    assert "cannot be read" in error["reason"]
    assert "damage" not in error["reason"]
    (told,) = api.call("backups/get", version=backup.version)["backups"]
    assert (told["damage"], told["checked_on"]) == (None, None)


def test_facts_come_only_when_they_are_asked_for(project: Project, api: Api) -> None:
    backed_up(project)
    for how in ({}, {"version": 1}, {"versions": [1]}):
        with CaptureQueriesContext(connection) as queries:
            (told,) = api.call("backups/get", **how)["backups"]
        assert "facts" not in told
        assert not any('"facts"' in query["sql"] for query in queries)
        (told,) = api.call("backups/get", facts=True, **how)["backups"]
        assert told["facts"]["encoding"] == "UTF-8"


def test_a_version_that_is_named_often_is_told_once(project: Project, api: Api) -> None:
    backed_up(project)
    backed_up(project)
    found = api.call("backups/get", versions=[2, 1, 2] * 300, facts=True)["backups"]
    assert [one["version"] for one in found] == [2, 1]


def test_more_versions_than_may_be_named_are_refused(project: Project, api: Api) -> None:
    backed_up(project)
    assert api.refused("backups/get", versions=list(range(1001)))[0] == 400
    code, info = api.refused("backups/get", versions=list(range(101)), facts=True)
    assert (code, list(info)) == (400, ["versions"])
    code, info = api.refused("backups/get", facts=True, **{"page.size": 101})
    assert (code, list(info)) == (400, ["page.size"])


def test_whatever_is_named_often_is_told_once(project: Project, api: Api) -> None:
    _, job = backed_up(project)
    token, gid, owner = str(job.token), str(project.gid), str(project.owner.gid)
    assert len(api.call("jobs/get", jobs=[token] * 500)["jobs"]) == 1
    assert api.call("/api/projects/get", projects=[gid] * 500) == {"projects": [gid]}
    assert api.call("/api/users/get", users=[owner] * 500) == {"users": [owner]}
    assert api.refused("jobs/get", jobs=[token, str(uuid4())])[0] == 422
    assert api.refused("jobs/get", jobs=[token, "no token"]) == (422, {"job": "no token"})
