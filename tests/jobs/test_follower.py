"""What commands on the machine read of the event log as it grows."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

import pytest
from django.db import transaction

from jobs import events, lifecycle
from jobs.errors import CursorUnknown
from jobs.follower import Follower, JobNews
from jobs.models import EventLog, Job
from projects.models import Project
from projects.services import create_project, create_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    owner = create_user(username="owner", password="a long enough password")
    return create_project(name="One", owner=owner)


def submit(project: Project) -> Job:
    with transaction.atomic():
        return lifecycle.submit(
            project=project, kind="backup_project", arguments={}, total=10, requested_by=None
        )


@contextmanager
def following(cursor: int, *projects: Project) -> Iterator[Follower]:
    with closing(Follower(cursor, [project.gid for project in projects] or None)) as follower:
        yield follower


def test_more_events_than_a_page_come_all_and_once(project: Project) -> None:
    begin = events.latest_cursor()
    count = events.PAGE * 2 + 7
    events.record(events.project_changed(project.gid) for _ in range(count))
    seen: list[int] = []
    with following(begin) as follower:
        while found := follower.news(0):
            seen += [event.cursor for event in found]
    assert seen == list(range(begin + 1, begin + count + 1))


def test_events_of_others_are_passed_over_and_do_not_hold_the_place_back(project: Project) -> None:
    with following(events.latest_cursor(), project) as follower:
        events.record(events.project_changed(uuid4()) for _ in range(events.PAGE + 1))
        assert follower.news(0) == []
        assert follower.cursor == events.latest_cursor()
        job = submit(project)
        assert [event.data_key for event in follower.news(0)] == [str(job.token)]


def test_a_place_that_the_log_no_longer_holds_is_never_passed_off_as_whole(
    project: Project,
) -> None:
    begin = events.latest_cursor()
    submit(project)
    EventLog.objects.update(trimmed_cursor=begin + 1)
    with following(begin) as follower, pytest.raises(CursorUnknown):
        follower.news(0)


def test_a_job_that_is_followed_in_a_log_that_lost_its_events_is_told_from_its_row(
    project: Project,
) -> None:
    begin = events.latest_cursor()
    job = submit(project)
    claim = lifecycle.claim(str(job.token), "worker")
    assert claim is not None
    EventLog.objects.update(trimmed_cursor=events.latest_cursor())
    with closing(JobNews(begin, job)) as news:
        assert [told["status"] for told in news.news(0)] == ["processing"]
        lifecycle.fail(claim, "the disk is full")
        (told,) = news.news(0)
    assert told["info"]["error"]["info"]["reason"] == "the disk is full"
