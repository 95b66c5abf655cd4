"""One person's jobs never take all workers, and nobody's are forgotten."""

from typing import Any

import pytest
from django.db import transaction
from django_q.models import OrmQ

from jobs import lease, lifecycle
from jobs.models import Job
from jobs.reaper import reap
from projects.models import Project, User
from projects.services import create_project, create_user, set_member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def three_workers(settings: Any) -> None:
    settings.WORKERS = 3
    settings.JOBS_PER_OWNER = 0


def person(name: str) -> User:
    return create_user(username=name, password="a long enough password")


def project_of(owner: User) -> Project:
    return create_project(name="One", owner=owner)


def submit(project: Project, asker: User | None = None) -> Job:
    with transaction.atomic():
        return lifecycle.submit(
            project=project,
            kind="backup_project",
            arguments={},
            total=1,
            requested_by=asker,
        )


def claim(job: Job) -> lease.Claim | None:
    return lifecycle.claim(str(job.token), "host:cluster:1")


def claimed(job: Job) -> lease.Claim:
    found = claim(job)
    assert found is not None
    return found


def end(running: lease.Claim) -> None:
    with lifecycle.completion(running):
        pass


def take_hints() -> list[str]:
    """The jobs on the queue, in order, which a worker takes off it."""
    tokens = [row.task["args"][0] for row in OrmQ.objects.order_by("pk")]
    OrmQ.objects.all().delete()
    return tokens


def test_an_owners_jobs_leave_a_worker_for_those_of_others() -> None:
    owner, other = person("owner"), person("other")
    first, second, third = (submit(project_of(owner)) for _ in range(3))
    claimed(first)
    claimed(second)
    assert claim(third) is None
    claimed(submit(project_of(other)))


def test_an_asker_has_one_share_in_the_projects_of_all_owners() -> None:
    asker = person("asker")
    asked = []
    for number in range(3):
        project = project_of(person(f"owner {number}"))
        set_member(project=project, user=asker, role="member")
        asked.append(submit(project, asker))
    claimed(asked[0])
    claimed(asked[1])
    assert claim(asked[2]) is None


def test_what_waited_for_the_share_is_put_on_the_queue_when_there_is_room_again() -> None:
    owner = person("owner")
    jobs = [submit(project_of(owner)) for _ in range(5)]
    running = [claimed(job) for job in jobs[:2]]
    # Their hints come to nothing.
    assert [claim(job) for job in jobs[2:]] == [None] * 3
    take_hints()
    done = []
    while running:
        end(running.pop(0))
        for token in take_hints():
            if found := lifecycle.claim(token, "host:cluster:1"):
                running.append(found)
                done.append(found.job.pk)
    assert done == [job.pk for job in jobs[2:]], "each in its turn"


@pytest.mark.parametrize("how", ["failed", "given back", "cancelled"])
def test_every_end_of_a_job_makes_room(how: str) -> None:
    owner = person("owner")
    first, second, third = (submit(project_of(owner)) for _ in range(3))
    running, _ = claimed(first), claimed(second)
    take_hints()
    if how == "failed":
        lifecycle.fail(running, "for a reason")
    elif how == "given back":
        lifecycle.give_back(running)
        third = first  # it is the oldest of those that wait again
    else:
        # It takes the room that it was given, and then does not use it.
        end(running)
        assert str(third.token) in take_hints()
        fourth = submit(project_of(owner))
        take_hints()
        lifecycle.cancel(third)
        third = fourth
    assert str(third.token) in take_hints()


def test_jobs_that_wait_for_the_share_are_not_put_on_the_queue_over_and_over() -> None:
    owner = person("owner")
    first, second, third = (submit(project_of(owner)) for _ in range(3))
    claimed(first)
    claimed(second)
    take_hints()
    Job.objects.filter(pk=third.pk).update(hinted_on=third.created_on.replace(year=2001))
    reap()
    assert take_hints() == []


def test_a_single_worker_does_everybodys_jobs(settings: Any) -> None:
    settings.WORKERS = 1
    owner = person("owner")
    for job in [submit(project_of(owner)) for _ in range(2)]:
        end(claimed(job))


def test_the_share_can_be_set(settings: Any) -> None:
    settings.JOBS_PER_OWNER = 1
    owner = person("owner")
    first, second = (submit(project_of(owner)) for _ in range(2))
    running = claimed(first)
    assert claim(second) is None
    end(running)
    claimed(second)
