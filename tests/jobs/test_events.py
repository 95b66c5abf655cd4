"""The event log: no reader misses an event, none sees one twice, no one sees what is not theirs."""

import threading
from datetime import timedelta

import pytest
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone

from jobs import events
from jobs.errors import CursorUnknown
from jobs.models import Event
from projects.models import Project, User
from projects.services import create_project, create_user
from projects.tokens import SessionToken

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner() -> User:
    return create_user(username="owner", password="a long enough password")


@pytest.fixture
def project(owner: User) -> Project:
    return create_project(name="One", owner=owner)


def sync(user: User, cursor: int) -> tuple[int, dict]:
    response = Client().post(
        "/sync/get",
        {"cc_cursor": cursor},
        content_type="application/json",
        headers={"Authorization": f"Bearer {SessionToken.begin(user)}"},
    )
    return response.status_code, response.json()["result"]


def test_cursors_of_writers_at_once_have_no_gap_and_appear_in_order(project: Project) -> None:
    start = events.latest_cursor()
    seen: list[int] = []
    writing = threading.Event()
    writing.set()

    def write() -> None:
        for _ in range(30):
            with transaction.atomic():
                events.record([events.project_changed(project.gid)] * 2)
        connections.close_all()

    def read() -> None:
        cursor = start
        last_round = False
        while not last_round:
            last_round = not writing.is_set()
            page = events.events_after(cursor, project_gids=[project.gid], user_gids=[])
            for event in page:
                seen.append(event.cursor)
                cursor = event.cursor
        connections.close_all()

    reader = threading.Thread(target=read)
    reader.start()
    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    writing.clear()
    reader.join()
    assert seen == list(range(start + 1, start + 181))


def test_events_of_a_rolled_back_transaction_never_were(project: Project) -> None:
    start = events.latest_cursor()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        events.record([events.project_changed(project.gid)])
        raise ZeroDivisionError
    assert events.latest_cursor() == start
    events.record([events.project_changed(project.gid)])
    assert Event.objects.latest("cursor").cursor == start + 1


def test_a_user_sees_the_events_of_active_memberships_and_of_himself(
    owner: User, project: Project
) -> None:
    start = events.latest_cursor()
    other = create_user(username="other", password="a long enough password")
    theirs = create_project(name="Theirs", owner=other)
    events.record([events.project_changed(project.gid), events.project_changed(theirs.gid)])
    _, mine = sync(owner, start)
    assert [event["data_key"] for event in mine["sync"]] == [str(project.gid)]
    _, own = sync(other, start)
    assert {event["data_type"] for event in own["sync"]} == {
        "cc.users",
        "cc.projects",
        "cc.projects_members",
    }
    assert str(project.gid) not in str(own)


def test_a_thousand_events_come_at_once_and_a_warning_says_that_there_are_more(
    owner: User, project: Project
) -> None:
    start = events.latest_cursor()
    events.record([events.project_changed(project.gid)] * 1001)
    _, first = sync(owner, start)
    assert len(first["sync"]) == 1000
    assert first["warning"]
    assert "cc.cursor" not in first
    _, rest = sync(owner, first["sync"][-1]["cursor"])
    assert len(rest["sync"]) == 1
    assert "warning" not in rest


def test_a_cursor_ahead_of_the_log_or_before_its_beginning_is_told_to_reset(
    owner: User, project: Project
) -> None:
    last = events.latest_cursor()
    assert sync(owner, last)[0] == 200
    status, result = sync(owner, last + 1)
    assert (status, result["code"], result["info"]) == (422, 422, {"reset": True})
    Event.objects.update(created_on=timezone.now() - timedelta(days=31))
    events.record([events.project_changed(project.gid)])
    assert events.trim() == last
    assert sync(owner, last - 1)[0] == 422
    status, result = sync(owner, last)
    assert (status, len(result["sync"])) == (200, 1)
    with pytest.raises(CursorUnknown):
        events.check_cursor(0)


@pytest.mark.parametrize("cursor", ["0", -1, 1.0, True, None, 2**63])
def test_a_cursor_that_is_none_is_400(owner: User, cursor: object) -> None:
    assert sync(owner, cursor)[0] == 400  # type: ignore[arg-type]


def test_cursors_tells_where_the_log_stands(owner: User, project: Project) -> None:
    response = Client().post(
        "/sync/cursors",
        {"project": str(project.gid)},
        content_type="application/json",
        headers={"Authorization": f"Bearer {SessionToken.begin(owner)}"},
    )
    assert response.json()["result"] == {"cc.cursor": events.latest_cursor(), "cursor": 0}
