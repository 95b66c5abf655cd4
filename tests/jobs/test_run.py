"""A running job, seen from inside: what stops it, and what it must not do any more."""

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction
from django.utils import timezone

from backups import pipeline
from backups.demo.catalogue import write_catalogue
from backups.models import Backup
from backups.removal import delete_project, purge_project
from backups.services import create_backup, restore_backup
from backups.tasks.backup import backup_project
from backups.tasks.restore import restore_project
from jobs import bell, lease, lifecycle
from jobs.errors import Cancelled, Draining, LeaseLost
from jobs.heartbeat import Heartbeat
from jobs.models import Event, Job
from jobs.reaper import reap
from jobs.run import Run, draining_mark
from jobs.tasks import run_job
from projects.databases import managed_path
from projects.errors import NotAllowed
from projects.models import Project
from projects.services import create_project, create_user
from tests.content import content_of, execute

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    owner = create_user(username="owner", password="a long enough password")
    project = create_project(name="One", owner=owner)
    write_catalogue(managed_path(project), 1)
    return project


def asked(project: Project) -> Job:
    return create_backup(project=project, requested_by=None, created_by="tests").job


def claimed(job: Job) -> Run:
    found = lifecycle.claim(str(job.token), "host:cluster:1")
    assert found is not None
    return Run(found)


def lose(job: Job) -> None:
    """Let the lease run out, and another worker take the job."""
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    reap()
    claimed(job)


def test_a_backup_that_lost_its_lease_lists_no_version(project: Project) -> None:
    job = asked(project)
    run = claimed(job)
    lose(job)
    with pytest.raises(LeaseLost):
        backup_project(run)
    assert not Backup.objects.restorable().exists()


def test_a_restore_that_lost_its_lease_does_not_commit(project: Project) -> None:
    run_job(str(asked(project).token))
    database = managed_path(project)
    execute(database, "DELETE FROM images")
    changed = content_of(database)
    job = restore_backup(project=project, requested_by=None, version=1).job
    run = claimed(job)
    lose(job)
    with pytest.raises(LeaseLost):
        restore_project(run)
    assert content_of(database) == changed


def test_a_restore_that_is_cancelled_before_its_commit_changes_nothing(project: Project) -> None:
    run_job(str(asked(project).token))
    database = managed_path(project)
    execute(database, "DELETE FROM images")
    changed = content_of(database)
    job = restore_backup(project=project, requested_by=None, version=1).job
    run = claimed(job)
    lifecycle.cancel(job)
    with pytest.raises(Cancelled):
        restore_project(run)
    assert content_of(database) == changed


def test_a_backup_that_is_cancelled_before_its_commit_lists_no_version(project: Project) -> None:
    job = asked(project)
    run = claimed(job)
    lifecycle.cancel(job)
    with pytest.raises(Cancelled):
        backup_project(run)
    assert not Backup.objects.restorable().exists()


def test_a_restore_that_is_in_force_ends_well_though_it_is_cancelled(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_job(str(asked(project).token))
    job = restore_backup(project=project, requested_by=None, version=1).job
    restore = pipeline.restore

    def cancelled_after(*args: Any, **kwargs: Any) -> None:
        restore(*args, **kwargs)
        lifecycle.cancel(job)

    monkeypatch.setattr(pipeline, "restore", cancelled_after)
    run_job(str(job.token))
    job.refresh_from_db()
    assert job.ended_well


class DiedUnheard(BaseException):
    """The worker ends right after the commit on the project's database."""


def dies_after_its_commit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a restore whose worker is lost between its commit and the end of the job."""

    def die(claim: lease.Claim, **how: bool) -> None:
        raise DiedUnheard

    with monkeypatch.context() as patch:
        patch.setattr(lifecycle, "completion", die)
        with pytest.raises(DiedUnheard):
            restore_project(run)


@pytest.mark.parametrize("is_gone", [False, True])
def test_what_was_written_after_a_restore_took_effect_is_not_lost_by_its_second_attempt(
    project: Project, monkeypatch: pytest.MonkeyPatch, is_gone: bool
) -> None:
    run_job(str(asked(project).token))
    database = managed_path(project)
    saved = content_of(database)
    execute(database, "DELETE FROM images")
    if is_gone:
        for path in database.parent.glob(f"{database.name}*"):
            path.unlink()
    job = restore_backup(project=project, requested_by=None, version=1).job
    dies_after_its_commit(claimed(job), monkeypatch)
    assert content_of(database) == saved
    execute(database, "UPDATE products SET name = 'written since' WHERE id = 1")
    execute(database, "CREATE TABLE made_since (x)")
    since = content_of(database)
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    reap()
    run_job(str(job.token))
    job.refresh_from_db()
    assert job.ended_well
    assert content_of(database) == since


def test_a_restore_that_took_no_effect_is_done_by_its_second_attempt(project: Project) -> None:
    run_job(str(asked(project).token))
    database = managed_path(project)
    saved = content_of(database)
    execute(database, "DELETE FROM images")
    job = restore_backup(project=project, requested_by=None, version=1).job
    run = claimed(job)

    def die(mark: str) -> None:
        lease.save_checkpoint(run.claim, mark)
        raise DiedUnheard

    run.save_checkpoint = die  # type: ignore[method-assign]
    with pytest.raises(DiedUnheard):
        restore_project(run)
    execute(database, "CREATE TABLE changed_before_the_second_attempt (x)")
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    reap()
    run_job(str(job.token))
    job.refresh_from_db()
    assert job.ended_well
    assert content_of(database) == saved


def test_a_restore_in_force_is_never_called_failed_when_our_own_database_is_away(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_job(str(asked(project).token))
    database = managed_path(project)
    saved = content_of(database)
    execute(database, "DELETE FROM images")
    job = restore_backup(project=project, requested_by=None, version=1).job

    def away(claim: lease.Claim, **how: bool) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(lifecycle, "completion", away)
        run_job(str(job.token))
    job.refresh_from_db()
    assert (job.status, job.error) == ("processing", None)
    assert content_of(database) == saved
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    reap()
    run_job(str(job.token))
    job.refresh_from_db()
    assert job.ended_well


def test_a_purge_that_failed_can_be_asked_for_again(project: Project) -> None:
    run_job(str(asked(project).token))
    owner, gid = project.owner, str(project.gid)
    delete_project(project=project)
    database = managed_path(project)
    aside = database.rename(database.with_suffix(".aside"))
    database.mkdir()
    failed = purge_project(project=project, requested_by=owner, confirm=gid)
    run_job(str(failed.token))
    failed.refresh_from_db()
    assert "can't be removed" in failed.error["info"]["reason"]
    database.rmdir()
    aside.rename(database)
    again = purge_project(project=project, requested_by=owner, confirm=gid)
    with pytest.raises(NotAllowed):
        purge_project(project=project, requested_by=owner, confirm=gid)
    run_job(str(again.token))
    again.refresh_from_db()
    assert again.ended_well
    assert not database.exists()
    with pytest.raises(NotAllowed):
        purge_project(project=project, requested_by=owner, confirm=gid)


def test_a_job_that_moves_nothing_is_ended_with_a_reason_and_its_process_with_it(
    project: Project,
) -> None:
    job = asked(project)
    # In a process of its own, as it ends that.
    hung = subprocess.run(
        [
            sys.executable,
            "-c",
            "import django; django.setup()\n"
            "import threading\n"
            "from jobs import lifecycle\n"
            "from jobs.heartbeat import Heartbeat\n"
            "from jobs.run import Run\n"
            f"claim = lifecycle.claim('{job.token}', 'host:cluster:1')\n"
            "with Heartbeat(Run(claim)):\n"
            "    threading.Event().wait(60)\n",
        ],
        env=os.environ
        | {
            "JOB_STALL_SECONDS": "1",
            "DATABASE_URL": f"sqlite:///{connections['default'].settings_dict['NAME']}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert hung.returncode == 70, hung.stderr
    job.refresh_from_db()
    assert job.status == "done"
    assert "nothing moved for 1 seconds" in job.error["info"]["reason"]


def test_a_working_job_is_heard_of_at_least_once_in_five_seconds_and_at_most_four_times_a_second(
    project: Project,
) -> None:
    job = asked(project)
    run = claimed(job)
    before = Event.objects.filter(data_key=str(job.token)).count()
    began = run.reported_at
    remaining = total = 10**9
    while time.monotonic() - began < 1.2:
        remaining -= 1
        run.progress(total, remaining)
    told = Event.objects.filter(data_key=str(job.token)).count() - before
    assert 1 <= told <= 4 * (time.monotonic() - began)
    silent_since = run.reported_at = run.reported_at - 4.5
    heard = threading.Event()
    report = run.report

    def listen() -> None:
        report()
        heard.set()

    run.report = listen  # type: ignore[method-assign]
    with Heartbeat(run):
        assert heard.wait(5)
    assert run.reported_at > silent_since


def test_a_draining_cluster_takes_no_job_and_gives_its_own_back(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAVEPOINT_CLUSTER", "test-cluster")
    job = asked(project)
    run = claimed(job)
    mark = draining_mark("test-cluster")
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    try:
        run.reported_at -= 1
        with pytest.raises(Draining):
            run.progress(10, 5)
        lifecycle.give_back(run.claim)
        run_job(str(job.token))
    finally:
        mark.unlink()
    job.refresh_from_db()
    assert (job.status, job.losses) == ("queued", 0)
    run_job(str(job.token))
    job.refresh_from_db()
    assert job.ended_well


def test_a_fault_of_ours_ends_the_job_with_a_reference_and_tells_nothing_else(
    project: Project, settings: Any
) -> None:
    settings.JOB_TASKS = {"backup_project": "tests.jobs.test_run.broken"}
    job = asked(project)
    run_job(str(job.token))
    job.refresh_from_db()
    assert job.status == "done"
    assert str(job.token) in job.error["info"]["reason"]
    assert "inner workings" not in job.error["info"]["reason"]


def broken(run: Run) -> None:
    raise ZeroDivisionError("the inner workings")


def test_a_kind_of_job_that_is_not_known_ends_with_an_error(
    project: Project, settings: Any
) -> None:
    job = asked(project)
    settings.JOB_TASKS = {}
    run_job(str(job.token))
    job.refresh_from_db()
    assert (job.status, job.ended_well) == ("done", False)


def test_a_bell_that_can_not_be_rung_breaks_nothing(
    project: Project, settings: Any, tmp_path: Path
) -> None:
    settings.RUN_DIR = tmp_path / "file"
    settings.RUN_DIR.write_text("no folder")
    job = asked(project)
    with transaction.atomic():
        bell.ring(bell.FEEDS)
    run_job(str(job.token))
    job.refresh_from_db()
    assert job.ended_well
