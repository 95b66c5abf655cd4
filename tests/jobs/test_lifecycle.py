"""The life of a job, against the real database."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from django_q.models import OrmQ

from jobs import lease, lifecycle, queue
from jobs.errors import LeaseLost
from jobs.models import Event, Job
from jobs.reaper import reap
from projects.models import Project
from projects.services import create_project, create_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    owner = create_user(username="owner", password="a long enough password")
    return create_project(name="One", owner=owner)


def submit(project: Project, total: int = 10) -> Job:
    with transaction.atomic():
        return lifecycle.submit(
            project=project,
            kind="backup_project",
            arguments={},
            total=total,
            requested_by=None,
        )


def claim(job: Job, worker: str = "host:cluster:1") -> lease.Claim:
    claimed = lifecycle.claim(str(job.token), worker)
    assert claimed is not None
    return claimed


def statuses(job: Job) -> list[str]:
    """The statuses that the events of this job tell, in order."""
    found = Event.objects.filter(data_key=str(job.token)).order_by("cursor")
    return [(event.data or {})["status"] for event in found]


def end(claimed: lease.Claim) -> None:
    with lifecycle.completion(claimed):
        pass


def let_lease_run_out(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_each_change_of_status_has_one_event_in_order(project: Project) -> None:
    job = submit(project)
    end(claim(job))
    assert statuses(job) == ["queued", "processing", "done"]
    job.refresh_from_db()
    assert (job.status, job.remaining, job.error) == ("done", 0, None)


def test_a_job_is_claimed_once(project: Project) -> None:
    job = submit(project)
    claim(job)
    assert lifecycle.claim(str(job.token), "another") is None


def test_a_job_waits_for_the_earlier_ones_of_its_project_only(project: Project) -> None:
    first, second = submit(project), submit(project)
    other = submit(create_project(name="Two", owner=project.owner))
    assert lifecycle.claim(str(second.token), "w") is None
    claim(other)
    running = claim(first)
    assert lifecycle.claim(str(second.token), "w") is None
    end(running)
    claim(second)


def test_the_database_itself_refuses_two_running_jobs_of_a_project(project: Project) -> None:
    first, second = submit(project), submit(project)
    claim(first)
    with pytest.raises(IntegrityError):
        Job.objects.filter(pk=second.pk).update(status=Job.Status.PROCESSING)


def test_the_end_of_a_job_puts_the_next_one_on_the_queue(project: Project) -> None:
    first = submit(project)
    submit(project)
    running = claim(first)
    OrmQ.objects.all().delete()
    end(running)
    assert queue.oldest_waiting() is not None


def test_a_job_and_its_queue_entry_are_committed_together_or_not_at_all(project: Project) -> None:
    before = Event.objects.count()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        submit(project)
        raise ZeroDivisionError
    assert (Job.objects.count(), OrmQ.objects.count()) == (0, 0)
    assert Event.objects.count() == before


def test_remaining_never_rises(project: Project) -> None:
    job = submit(project, total=10)
    running = claim(job)
    lease.report(running, 40, 30)
    lease.report(running, 40, 5)
    lease.report(running, 40, 8)
    found = Event.objects.filter(data_key=str(job.token)).order_by("cursor")
    told = [(event.data or {})["info"]["remaining"] for event in found]
    assert told == [10, 10, 10, 5, 5]


def test_a_failed_job_is_done_with_an_error_in_the_words_of_the_contract(
    project: Project,
) -> None:
    job = submit(project)
    lifecycle.fail(claim(job), "the disk is full")
    last = Event.objects.filter(data_key=str(job.token)).latest("cursor")
    assert last.data is not None
    assert last.data["status"] == "done"
    assert last.data["info"] == {
        "total": 10,
        "remaining": 10,
        "error": {
            "code": 1003,
            "message": "Process error",
            "info": {"process": "backup", "reason": "the disk is full"},
        },
    }


def test_a_job_whose_lease_ran_out_is_queued_again_and_its_old_worker_is_fenced(
    project: Project,
) -> None:
    job = submit(project)
    old = claim(job)
    let_lease_run_out(job)
    reap()
    assert statuses(job) == ["queued", "processing", "queued"]
    new = claim(job)
    for act in (
        lambda: lease.renew(old),
        lambda: lease.report(old, 10, 1),
        lambda: lifecycle.fail(old, "late"),
        lambda: lifecycle.give_back(old),
        lambda: end(old),
    ):
        with pytest.raises(LeaseLost):
            act()
    end(new)
    assert statuses(job) == ["queued", "processing", "queued", "processing", "done"]


def test_nothing_that_a_fenced_worker_wrote_in_its_completion_stays(project: Project) -> None:
    job = submit(project)
    old = claim(job)
    let_lease_run_out(job)
    reap()
    with pytest.raises(LeaseLost), lifecycle.completion(old):
        Project.objects.update(name="half made")
    project.refresh_from_db()
    assert project.name == "One"


def test_a_completion_that_raises_leaves_the_job_as_it_was(project: Project) -> None:
    job = submit(project)
    running = claim(job)
    with pytest.raises(ZeroDivisionError), lifecycle.completion(running):
        Project.objects.update(name="half made")
        raise ZeroDivisionError
    project.refresh_from_db()
    job.refresh_from_db()
    assert (project.name, job.status) == ("One", "processing")
    assert statuses(job) == ["queued", "processing"]


def test_a_job_that_lost_three_workers_ends_with_a_reason(project: Project) -> None:
    job = submit(project)
    for _ in range(3):
        claim(job)
        let_lease_run_out(job)
        reap()
    job.refresh_from_db()
    assert job.status == "done"
    assert job.error["info"]["reason"].startswith("the worker was lost 3 times")


def test_being_stopped_on_purpose_does_not_count_as_a_loss(project: Project) -> None:
    job = submit(project)
    for _ in range(5):
        lifecycle.give_back(claim(job))
    end(claim(job))
    job.refresh_from_db()
    assert (job.status, job.error, job.losses) == ("done", None, 0)


def test_a_worker_that_came_back_in_time_keeps_its_job(project: Project) -> None:
    job = submit(project)
    running = claim(job)
    let_lease_run_out(job)
    seen = lifecycle.expired().get()
    lease.renew(running)
    assert lifecycle.recover(seen) is False
    end(running)


def test_a_lost_queue_entry_is_put_again(project: Project) -> None:
    job = submit(project)
    OrmQ.objects.all().delete()
    reap()
    assert queue.oldest_waiting() is None, "it is too early to call the entry lost"
    Job.objects.filter(pk=job.pk).update(hinted_on=timezone.now() - timedelta(minutes=1))
    reap()
    assert queue.oldest_waiting() is not None
    entries = OrmQ.objects.count()
    reap()
    assert OrmQ.objects.count() == entries


def test_a_lost_queue_entry_is_found_also_while_others_wait(project: Project) -> None:
    job = submit(project)
    OrmQ.objects.all().delete()
    Job.objects.filter(pk=job.pk).update(hinted_on=timezone.now() - timedelta(minutes=1))
    submit(create_project(name="Two", owner=project.owner))
    reap()
    assert OrmQ.objects.count() == 2
    reap()
    assert OrmQ.objects.count() == 2


def test_an_entry_names_a_task_and_a_token_and_nothing_else(project: Project) -> None:
    job = submit(project)
    task: dict[str, Any] = OrmQ.objects.get().task
    assert (task["func"], task["args"], task["kwargs"]) == (
        "jobs.tasks.run_job",
        (str(job.token),),
        {},
    )
