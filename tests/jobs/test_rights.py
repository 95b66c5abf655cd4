"""Who asked for a job must still be allowed to when it begins."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from backups.demo.catalogue import write_catalogue
from backups.models import Backup
from backups.removal import delete_project, purge_project
from backups.services import create_backup, restore_backup
from jobs import lease, lifecycle
from jobs.models import Event, Job
from jobs.reaper import reap
from jobs.tasks import run_job
from projects.databases import managed_path
from projects.models import ApiKey, Membership, Project, User
from projects.services import (
    create_api_key,
    create_project,
    create_user,
    remove_member,
    revoke_api_key,
    set_member,
)
from tests.content import content_of, execute

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long enough password"


@pytest.fixture
def project() -> Project:
    owner = create_user(username="owner", password=PASSWORD)
    project = create_project(name="One", owner=owner)
    write_catalogue(managed_path(project), 1)
    run_job(str(create_backup(project=project, requested_by=None, created_by="tests").job.token))
    return project


@pytest.fixture
def member(project: Project) -> User:
    user = create_user(username="member", password=PASSWORD)
    set_member(project=project, user=user, role="member")
    return user


@pytest.fixture
def api_key(project: Project) -> ApiKey:
    return create_api_key(project=project, name="key").api_key


def asked_restore(project: Project, user: User) -> Job:
    return restore_backup(project=project, requested_by=user, version=1).job


def ended(job: Job) -> Job:
    run_job(str(job.token))
    job.refresh_from_db()
    return job


def last_told(job: Job) -> dict[str, object]:
    data = Event.objects.filter(data_key=str(job.token)).latest("cursor").data
    assert data is not None
    return dict(data)


def removed(project: Project, user: User) -> None:
    remove_member(membership=Membership.objects.get(project=project, user=user))


def made_viewer(project: Project, user: User) -> None:
    set_member(project=project, user=user, role="viewer")


def disabled(project: Project, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize("lose", [removed, made_viewer, disabled])
def test_a_restore_is_not_done_for_whoever_has_lost_the_right_to_it(
    project: Project, member: User, lose: Callable[[Project, User], None]
) -> None:
    database = managed_path(project)
    execute(database, "DELETE FROM images")
    changed = content_of(database)
    job = asked_restore(project, member)
    lose(project, member)
    assert ended(job).status == Job.Status.REJECTED
    assert content_of(database) == changed
    told = last_told(job)
    reason = "whoever asked for it has no right to it any more"
    assert told["status"] == "rejected"
    assert told["info"]["error"] == {  # type: ignore[index]
        "code": 1003,
        "message": "Process error",
        "info": {"process": "restore", "reason": reason},
    }
    statuses = [
        (event.data or {})["status"]
        for event in Event.objects.filter(data_key=str(job.token)).order_by("cursor")
    ]
    assert statuses == ["queued", "rejected"]
    assert job.started_on is None


@pytest.mark.parametrize("expires", [False, True])
def test_a_job_of_a_key_that_ended_is_rejected_and_the_next_one_goes_on(
    project: Project, member: User, api_key: ApiKey, expires: bool
) -> None:
    backup, job = create_backup(project=project, requested_by=api_key.user, created_by="key")
    later = create_backup(project=project, requested_by=member, created_by="member").job
    if expires:
        past = timezone.now() - timedelta(seconds=1)
        ApiKey.objects.filter(pk=api_key.pk).update(expires_on=past)
    else:
        revoke_api_key(api_key=api_key)
    Job.objects.filter(pk=later.pk).update(hinted_on=timezone.now() - timedelta(days=1))
    assert ended(job).status == Job.Status.REJECTED
    assert Backup.objects.get(pk=backup.pk).state == Backup.State.FAILED
    later.refresh_from_db()
    assert later.hinted_on > timezone.now() - timedelta(hours=1), "it is put on the queue"
    assert ended(later).ended_well


def test_who_has_kept_the_right_is_served(project: Project, member: User, api_key: ApiKey) -> None:
    for user in (project.owner, member, api_key.user):
        assert ended(asked_restore(project, user)).ended_well


def test_staff_need_the_permission_of_the_admin_and_lose_it_likewise(project: Project) -> None:
    staff = create_user(username="staff", password=PASSWORD, is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="change_backup"))
    assert ended(asked_restore(project, staff)).ended_well
    job = asked_restore(project, staff)
    staff.user_permissions.clear()
    assert ended(job).status == Job.Status.REJECTED
    job = asked_restore(project, staff)
    staff.user_permissions.add(Permission.objects.get(codename="change_backup"))
    User.objects.filter(pk=staff.pk).update(is_staff=False)
    assert ended(job).status == Job.Status.REJECTED


def test_the_owner_can_have_a_deleted_project_removed_for_good(project: Project) -> None:
    delete_project(project=project)
    job = purge_project(project=project, requested_by=project.owner, confirm=str(project.gid))
    assert ended(job).ended_well


def test_a_restore_that_a_lost_worker_began_is_not_begun_anew(
    project: Project, member: User
) -> None:
    job = asked_restore(project, member)
    assert lifecycle.claim(str(job.token), "host:cluster:1") is not None
    removed(project, member)
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    reap()
    assert ended(job).status == Job.Status.REJECTED


def test_a_restore_that_may_be_in_force_is_looked_after(project: Project, member: User) -> None:
    job = asked_restore(project, member)
    claim = lifecycle.claim(str(job.token), "host:cluster:1")
    assert claim is not None
    lease.save_checkpoint(claim, "a mark")
    removed(project, member)
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    reap()
    assert lifecycle.claim(str(job.token), "host:cluster:2") is not None
