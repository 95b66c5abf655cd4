"""Sweeps as jobs: what they delete, when they are due, and what they must not do any more."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.utils import timezone

from backups import targets
from backups.models import Backup, Sweep
from backups.removal import delete_project
from backups.services import create_backup, delete_backups, restore_backup
from backups.sweeps import due, request_due, sweep_project
from backups.tasks.sweep import sweep_project as sweep_task
from jobs import lifecycle, reaper
from jobs.errors import Cancelled, LeaseLost
from jobs.models import Job
from jobs.run import Run
from jobs.tasks import run_job
from projects.databases import managed_path
from projects.errors import NotAllowed
from projects.models import Project
from projects.services import create_project, create_user
from tests.content import content_of, execute

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(settings: Any) -> Project:
    settings.SWEEP_GRACE_SECONDS = 0.0
    owner = create_user(username="owner", password="a long enough password")
    project = create_project(name="One", owner=owner)
    fill(project)
    return project


def fill(project: Project) -> None:
    """Nearly a megabyte that can't be compressed."""
    execute(managed_path(project), "CREATE TABLE blobs (id INTEGER PRIMARY KEY, data BLOB)")
    execute(
        managed_path(project),
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
        " INSERT INTO blobs SELECT i, randomblob(3000) FROM n",
    )


def run(job: Job) -> Job:
    run_job(str(job.token))
    job.refresh_from_db()
    assert job.status == Job.Status.DONE
    return job


def backed_up(project: Project) -> int:
    requested = create_backup(project=project, requested_by=None, created_by="tests")
    assert run(requested.job).ended_well
    return requested.backup.version


def swept(project: Project) -> Sweep:
    job = run(sweep_project(project=project, requested_by=None))
    assert job.ended_well, job.error
    return Sweep.objects.get(job=job)


def claimed(job: Job) -> Run:
    found = lifecycle.claim(str(job.token), "host:cluster:1")
    assert found is not None
    return Run(found)


def folder_of(project: Project) -> Path:
    return Path(configured.STORE_DIR) / str(project.gid)


def files_of(project: Project) -> dict[Path, int]:
    return {path: path.stat().st_size for path in folder_of(project).rglob("*") if path.is_file()}


def changed_versions(project: Project, count: int = 5) -> dict[int, str]:
    """Versions of a database of which two thirds change between them; what each of them holds."""
    contents = {}
    for _ in range(count):
        version = backed_up(project)
        contents[version] = content_of(managed_path(project))
        execute(
            managed_path(project),
            "UPDATE blobs SET data = randomblob(3000) WHERE id % 3 > 0",
        )
    return contents


def assert_restorable(project: Project, contents: dict[int, str]) -> None:
    listed = Backup.objects.restorable().filter(project=project)
    for version in listed.values_list("version", flat=True):
        job = restore_backup(project=project, requested_by=None, version=version).job
        assert run(job).ended_well
        assert content_of(managed_path(project)) == contents[version]


def test_the_space_of_deleted_versions_comes_back_and_the_others_restore(project: Project) -> None:
    other = create_project(name="Other", owner=project.owner)
    fill(other)
    backed_up(other)
    theirs = files_of(other)
    contents = changed_versions(project)
    keys = dict(Backup.objects.filter(project=project).values_list("version", "manifest_key"))
    before = sum(files_of(project).values())
    delete_backups(project=project, versions=[1, 2, 4])
    found = swept(project)
    assert found.deleted > 0
    assert found.waiting == 0
    assert sum(files_of(project).values()) == before - found.freed + found.written < before * 0.7
    assert files_of(other) == theirs
    for version in (3, 5):
        path = Path(configured.STORE_DIR) / keys[version]
        is_anew = Backup.objects.get(project=project, version=version).manifest_key != keys[version]
        assert path.exists() != is_anew
    assert_restorable(project, contents)
    assert swept(project).deleted == 0
    # What the restores kept as safety versions, too.
    listed = list(Backup.objects.restorable().filter(project=project))
    delete_backups(project=project, versions=[backup.version for backup in listed])
    assert swept(project).deleted > 0
    assert files_of(project) == {}


def test_the_next_version_leans_on_one_that_was_written_anew(project: Project) -> None:
    contents = changed_versions(project)
    delete_backups(project=project, versions=[1, 2, 3])
    assert swept(project).written > 0
    version = backed_up(project)
    contents[version] = content_of(managed_path(project))
    backup = Backup.objects.get(project=project, version=version)
    assert backup.parent_version == 5
    assert backup.stored is not None and backup.size is not None
    assert backup.stored < backup.size / 2
    assert_restorable(project, contents)


def test_a_version_that_cannot_be_read_stops_the_sweep_which_says_so(project: Project) -> None:
    changed_versions(project, 3)
    delete_backups(project=project, versions=[1])
    manifest = Path(configured.STORE_DIR) / Backup.objects.get(version=2).manifest_key
    kept = manifest.read_bytes()
    manifest.chmod(0o600)
    manifest.write_bytes(kept[:-1] + b"?")
    before = files_of(project)
    job = run(sweep_project(project=project, requested_by=None))
    assert job.error is not None
    assert job.error["info"] == {
        "process": "sweep",
        "reason": "the manifest of version 2 is damaged; nothing was deleted,"
        " as the version may need anything",
    }
    assert files_of(project) == before
    manifest.write_bytes(kept)
    assert swept(project).deleted > 0


def test_with_grace_what_is_noted_is_deleted_by_a_later_sweep(
    project: Project, settings: Any
) -> None:
    settings.SWEEP_GRACE_SECONDS = 3600.0
    changed_versions(project, 3)
    delete_backups(project=project, versions=[1])
    first = swept(project)
    assert first.deleted == 0
    assert first.waiting > 0
    settings.SWEEP_GRACE_SECONDS = 0.0
    assert swept(project).deleted >= first.waiting


def test_a_sweep_that_lost_its_lease_deletes_nothing_and_switches_nothing(project: Project) -> None:
    changed_versions(project)
    delete_backups(project=project, versions=[1, 2, 3])
    job = sweep_project(project=project, requested_by=None)
    running = claimed(job)
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    reaper.reap()
    claimed(job)
    before = files_of(project)
    keys = set(Backup.objects.values_list("manifest_key", flat=True))
    with pytest.raises(LeaseLost):
        sweep_task(running)
    with pytest.raises(LeaseLost), running.confirmed():
        Backup.objects.update(manifest_key="another")
    assert files_of(project) == before
    assert set(Backup.objects.values_list("manifest_key", flat=True)) == keys


def test_a_sweep_that_is_cancelled_deletes_nothing(project: Project) -> None:
    contents = changed_versions(project, 3)
    delete_backups(project=project, versions=[1])
    job = sweep_project(project=project, requested_by=None)
    running = claimed(job)
    lifecycle.cancel(job)
    before = files_of(project)
    with pytest.raises(Cancelled):
        sweep_task(running)
    assert files_of(project) == before
    lifecycle.fail(running.claim, lifecycle.CANCELLED)
    assert_restorable(project, contents)


def test_one_sweep_waits_at_a_time_and_none_of_a_deleted_project(project: Project) -> None:
    first = sweep_project(project=project, requested_by=None)
    assert sweep_project(project=project, requested_by=None) == first
    claimed(first)
    assert sweep_project(project=project, requested_by=None) != first
    delete_project(project=project)
    with pytest.raises(NotAllowed):
        sweep_project(project=project, requested_by=None)


def age(settings: Any, seconds: float = 3601) -> None:
    """Let all that has happened have happened so long ago."""
    past = timedelta(seconds=seconds)
    for job in Job.objects.all():
        Job.objects.filter(pk=job.pk).update(
            created_on=job.created_on - past,
            started_on=job.started_on and job.started_on - past,
            ended_on=job.ended_on and job.ended_on - past,
        )
    for backup in Backup.objects.exclude(deleted_on=None):
        Backup.objects.filter(pk=backup.pk).update(deleted_on=backup.deleted_on - past)  # type: ignore[operator]


def test_a_sweep_is_due_some_time_after_versions_were_deleted_and_until_it_ended_well(
    project: Project, settings: Any
) -> None:
    for _ in range(2):
        backed_up(project)
    age(settings)
    assert list(due()) == []
    delete_backups(project=project, versions=[1])
    assert list(due()) == []
    age(settings)
    assert list(due()) == [project]

    assert request_due() == 1
    job = Job.objects.get(kind="sweep_project")
    assert list(due()) == [] and request_due() == 0, "it is asked for"
    lifecycle.fail(claimed(job).claim, "the storage was away")
    assert list(due()) == [], "it was asked for not long ago"
    age(settings)
    assert list(due()) == [project]
    assert request_due() == 1
    run(Job.objects.latest("pk"))
    age(settings)
    assert list(due()) == []


def test_a_sweep_is_due_after_a_job_that_failed_or_lost_a_worker(
    project: Project, settings: Any
) -> None:
    job = create_backup(project=project, requested_by=None, created_by="tests").job
    lifecycle.fail(claimed(job).claim, "no room")
    age(settings)
    assert list(due()) == [project]
    swept(project)
    age(settings)
    assert list(due()) == []
    job = create_backup(project=project, requested_by=None, created_by="tests").job
    claimed(job)
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    reaper.reap()
    run(job)
    age(settings)
    assert list(due()) == [project]


def test_a_sweep_is_due_when_the_time_of_grace_of_what_was_noted_is_over(
    project: Project, settings: Any
) -> None:
    settings.SWEEP_GRACE_SECONDS = 7200.0
    for _ in range(2):
        backed_up(project)
    delete_backups(project=project, versions=[1])
    assert swept(project).waiting > 0
    age(settings)
    assert list(due()) == []
    age(settings)
    assert list(due()) == [project]
    settings.SWEEP_GRACE_SECONDS = 0.0
    swept(project)
    age(settings)
    assert list(due()) == []


def test_deleted_projects_and_busy_ones_are_not_due(project: Project, settings: Any) -> None:
    for _ in range(2):
        backed_up(project)
    delete_backups(project=project, versions=[1])
    age(settings)
    busy = create_backup(project=project, requested_by=None, created_by="tests").job
    assert list(due()) == []
    run(busy)
    assert list(due()) == [project]
    delete_project(project=project)
    assert list(due()) == []


def test_the_reaper_asks_for_sweeps_and_one_bad_keeper_stops_no_other(
    project: Project, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    backed_up(project)
    delete_backups(project=project, versions=[1])
    age(settings)
    settings.HOUSEKEEPING = ["backups.targets.no_such_function", *settings.HOUSEKEEPING]
    reaper.keep_house()
    assert "no_such_function failed" in caplog.text
    assert Job.objects.filter(kind="sweep_project", status=Job.Status.QUEUED).count() == 1


def test_what_killed_workers_left_is_removed_once_it_is_old(
    project: Project, settings: Any
) -> None:
    settings.SWEEP_GRACE_SECONDS = 3600.0
    backed_up(project)
    database = managed_path(project)
    scratch = Path(configured.SCRATCH_DIR)
    left = {
        "half restored": database.with_name(f".{database.name}.restoring-abc"),
        "half put": folder_of(project) / "packs" / ".aa-0011.part",
        "copy": scratch / "savepoint-check-abc",
    }
    kept = {
        "another's": database.with_name(".another.sqlite3.restoring-abc"),
        "foreign": scratch / "foreign",
        "stale": database.with_name(f"{database.name}-wal.stale-0011"),
    }
    for path in (*left.values(), *kept.values()):
        path.write_bytes(b"x")
    swept(project)
    assert all(path.exists() for path in left.values()), "they may be in use"
    for path in (*left.values(), *kept.values()):
        os.utime(path, times=(path.stat().st_mtime - 4000,) * 2)
    swept(project)
    there = {name for name, path in left.items() if path.exists()}
    assert there == {"copy"}, "another project's job may have it, for a day"
    os.utime(left["copy"], times=(0, 0))
    swept(project)
    assert not left["copy"].exists()
    for path in kept.values():
        assert path.exists()
        path.unlink()
    assert targets.engine_of(project).remove_leftovers(grace=0) == 0
