"""Jobs and events in the admin."""

import pytest
from django.contrib import admin
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from jobs import lifecycle
from jobs.models import Event, Job
from projects.admin.facts import BoundedPaginator
from projects.models import Project, User
from projects.services import create_project
from tests.staff import browser, query_count, staff, superuser, text

pytestmark = pytest.mark.django_db

JOBS = reverse("admin:jobs_job_changelist")
EVENTS = reverse("admin:jobs_event_changelist")


@pytest.fixture
def root() -> User:
    return superuser()


@pytest.fixture
def project(root: User) -> Project:
    return create_project(name="One", owner=root)


def submit(project: Project) -> Job:
    with transaction.atomic():
        return lifecycle.submit(
            project=project,
            kind="backup_project",
            arguments={},
            total=10,
            requested_by=project.owner,
        )


def fail(project: Project, reason: str) -> Job:
    job = submit(project)
    claim = lifecycle.claim(str(job.token), "host:cluster:1")
    assert claim is not None
    lifecycle.fail(claim, reason)
    return job


def page(job: Job) -> str:
    return reverse("admin:jobs_job_change", args=[job.pk])


@pytest.mark.parametrize("address", [JOBS, EVENTS], ids=str)
def test_lists_are_for_those_with_the_permission(address: str, root: User) -> None:
    assert text(browser(root).get(address))
    assert browser(staff()).get(address).status_code == 403


def test_events_are_for_superusers_only(project: Project) -> None:
    reader = browser(staff("jobs.view_event", "jobs.view_job"))
    assert reader.get(EVENTS).status_code == 403
    event = Event.objects.earliest("cursor")
    one = reverse("admin:jobs_event_change", args=[event.pk])
    assert reader.get(one).status_code == 403
    assert text(reader.get(JOBS))


def test_a_failed_job_is_seen_to_have_failed_and_why(project: Project, root: User) -> None:
    failed = fail(project, "the disk is <full>")
    waiting = submit(project)
    client = browser(root)
    for address in (JOBS, page(failed)):
        seen = text(client.get(address))
        assert "state-failed" in seen
        assert "the disk is &lt;full&gt;" in seen
    assert "state-queued" in text(client.get(page(waiting)))


@pytest.mark.parametrize(
    ("outcome", "count"), [("queued", 1), ("failed", 1), ("done", 1), ("rejected", 0)]
)
def test_jobs_are_found_by_how_they_ended(
    outcome: str, count: int, project: Project, root: User
) -> None:
    fail(project, "no")
    well = lifecycle.claim(str(submit(project).token), "host:cluster:1")
    assert well is not None
    with lifecycle.completion(well):
        pass
    submit(project)
    found = browser(root).get(JOBS, {"outcome": outcome}).context["cl"].queryset
    assert len(found) == count


def test_the_page_of_a_job_follows_it_until_it_has_ended(project: Project, root: User) -> None:
    client = browser(root)
    assert 'http-equiv="refresh"' not in text(client.get(page(fail(project, "no"))))
    assert 'http-equiv="refresh"' in text(client.get(page(submit(project))))


def test_jobs_and_events_are_found_by_gid(project: Project, root: User) -> None:
    job, other = submit(project), submit(create_project(name="Two", owner=root))
    client = browser(root)
    for term in (str(job.token), str(project.gid), "One"):
        found = client.get(JOBS, {"q": term}).context["cl"].queryset
        assert list(found) == [job], term
    assert other not in found
    by_project = client.get(EVENTS, {"q": str(project.gid)}).context["cl"].queryset
    assert {event.project_gid for event in by_project} == {project.gid}
    assert not client.get(EVENTS, {"q": "no gid"}).context["cl"].queryset


def test_jobs_and_events_are_facts(project: Project, root: User) -> None:
    job, event = submit(project), Event.objects.earliest("cursor")
    client = browser(root)
    for name, row in (("job", job), ("event", event)):
        assert text(client.get(reverse(f"admin:jobs_{name}_change", args=[row.pk])))
        assert client.get(reverse(f"admin:jobs_{name}_add")).status_code == 403
        for verb in ("change", "delete"):
            address = reverse(f"admin:jobs_{name}_{verb}", args=[row.pk])
            assert client.post(address, {"post": "yes", "status": "done"}).status_code == 403
    job.refresh_from_db()
    assert job.status == Job.Status.QUEUED


def test_the_queues_own_rows_are_not_in_the_admin(root: User) -> None:
    names = {model._meta.label for model in admin.site._registry}
    assert not any(name.startswith("django_q.") for name in names)
    assert "jobs.EventLog" not in names


def test_queries_of_the_lists_do_not_grow_with_their_rows(root: User) -> None:
    for address in (JOBS, EVENTS):
        fail(create_project(name="One", owner=root), "no")
        few = query_count(lambda address=address: browser(root).get(address))
        for number in range(5):
            fail(create_project(name=f"P{number}", owner=root), "no")
        assert query_count(lambda address=address: browser(root).get(address)) == few


def test_a_large_log_is_not_counted_to_its_end(
    project: Project, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedPaginator, "LIMIT", 3)
    for _ in range(5):
        submit(project)
    with CaptureQueriesContext(connection) as queries:
        shown = browser(root).get(EVENTS).context["cl"]
    assert shown.result_count == 3
    counts = [
        query["sql"]
        for query in queries
        if "COUNT(" in query["sql"] and "jobs_event" in query["sql"]
    ]
    assert counts
    assert all("LIMIT 3" in sql for sql in counts)
