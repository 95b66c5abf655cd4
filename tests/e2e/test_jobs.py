"""Jobs as they stand, and jobs that are cancelled."""

from pathlib import Path
from typing import Any

import pytest

from tests.content import content_of, execute
from tests.e2e.test_contract import error_of
from tests.e2e.test_people import UNKNOWN, database_of, key_client, new_project, person
from tests.e2e.test_versions import held, is_processing, restored
from tests.service import Client, Service


@pytest.fixture(scope="module")
def owner(service: Service) -> Client:
    return person(service, "follows-jobs")


@pytest.fixture
def gid(service: Service, owner: Client) -> str:
    """A project with a small table."""
    project = new_project(owner)
    execute(database_of(service, project), "CREATE TABLE items AS SELECT 'first' AS name")
    return project


def jobs(client: Client, gid: str, **body: Any) -> list[dict[str, Any]]:
    result = client.call(f"/api/p/{gid}/jobs/get", **body)
    assert set(result) == {"project", "jobs"}
    assert result["project"] == gid
    found: list[dict[str, Any]] = result["jobs"]
    return found


def cancel(client: Client, gid: str, job: str) -> str:
    result = client.call(f"/api/p/{gid}/jobs/cancel", job=job)
    assert set(result) == {"job", "status"}
    assert result["job"] == job
    return str(result["status"])


# --- Jobs as they stand ---------------------------------------------------------------------------


def test_a_job_is_told_as_its_last_event_told_it(service: Service, owner: Client, gid: str) -> None:
    cursor = owner.cursor()
    good = owner.create(gid)["job.token"]
    owner.wait_for(good, cursor)
    with held(database_of(service, gid)):
        running = owner.create(gid)["job.token"]
        queued = owner.create(gid)["job.token"]
        rejected = owner.create(gid)["job.token"]
        owner.poll(cursor, is_processing(running))
        cancel(owner, gid, rejected)
        tokens = [good, running, queued, rejected]
        events = owner.call("/sync/get", cc_cursor=cursor)["sync"]
        last = {event["data_key"]: event["data"] for event in events if "data" in event}
        expected = [{"token": token, **last[token]} for token in tokens]
        statuses = ["done", "processing", "queued", "rejected"]
        assert [job["status"] for job in expected] == statuses
        assert [jobs(owner, gid, job=token) for token in tokens] == [[job] for job in expected]
        assert jobs(owner, gid, jobs=[queued, good]) == [expected[2], expected[0]]
        assert jobs(owner, gid) == expected[::-1]
        assert jobs(owner, gid, jobs=[]) == []
    owner.wait_for(queued, cursor)


def test_a_failed_job_tells_its_error(service: Service, owner: Client, gid: str) -> None:
    database_of(service, gid).write_bytes(b"no database" * 1000)
    cursor = owner.cursor()
    job = owner.create(gid)["job.token"]
    last = owner.wait_for(job, cursor)[-1]
    assert jobs(owner, gid, job=job) == [{"token": job, **last["data"]}]
    assert last["data"]["info"]["error"]["code"] == 1003


def test_without_a_name_the_latest_hundred_are_told_newest_first(
    service: Service, owner: Client, gid: str
) -> None:
    made = service.shell(
        "from backups.services import create_backup\nfrom jobs.lifecycle import cancel\n"
        "from projects.models import Project\n"
        f"project = Project.objects.get(gid='{gid}')\n"
        "for _ in range(103):\n"
        "    job = create_backup(project=project, requested_by=None, created_by='shell').job\n"
        "    cancel(job)\n"
        "    print(job.token)"
    ).split()
    assert len(made) == 103
    assert [job["token"] for job in jobs(owner, gid)] == made[:2:-1]
    assert [job["token"] for job in jobs(owner, gid, jobs=made)] == made


def test_a_job_that_does_not_exist_or_is_anothers_is_422(owner: Client, gid: str) -> None:
    other = new_project(owner)
    foreign = owner.create(other)["job.token"]
    own = owner.create(gid)["job.token"]
    for token in (UNKNOWN, "nonsense", foreign, own.upper()):
        for path, body in (("get", {"job": token}), ("cancel", {"job": token})):
            response = owner.post(f"/api/p/{gid}/jobs/{path}", body)
            assert error_of(response) == (422, 422, "Unprocessable entity", {"job": token})
        response = owner.post(f"/api/p/{gid}/jobs/get", {"jobs": [own, token]})
        assert error_of(response)[:2] == (422, 422)


@pytest.mark.parametrize(
    ("path", "body", "parameter"),
    [
        ("get", {"job": 7}, "job"),
        ("get", {"job": None}, "job"),
        ("get", {"jobs": "all"}, "jobs"),
        ("get", {"jobs": [7]}, "jobs"),
        ("get", {"jobs": [UNKNOWN] * 1001}, "jobs"),
        ("cancel", {}, "job"),
        ("cancel", {"job": [UNKNOWN]}, "job"),
    ],
)
def test_bad_parameters_are_400(
    owner: Client, path: str, body: dict[str, Any], parameter: str
) -> None:
    response = owner.post(f"/api/p/{new_project(owner)}/jobs/{path}", body)
    assert error_of(response)[:3] == (400, 400, "Bad request")
    assert set(error_of(response)[3]) == {parameter}


# --- Cancelling -----------------------------------------------------------------------------------


def test_a_queued_job_is_rejected_at_once_and_those_behind_it_go_on(
    service: Service, owner: Client, gid: str
) -> None:
    cursor = owner.cursor()
    with held(database_of(service, gid)):
        first, second, third = (owner.create(gid) for _ in range(3))
        assert cancel(owner, gid, second["job.token"]) == "rejected"
        events = owner.call("/sync/get", cc_cursor=cursor)["sync"]
        told = [
            (event["action"], event["data"]["status"])
            for event in events
            if event["data_key"] == second["job.token"]
        ]
        assert told == [("INSERT", "queued"), ("UPDATE", "rejected")]
        assert cancel(owner, gid, second["job.token"]) == "rejected"
    for ended in (first, third):
        last = owner.wait_for(ended["job.token"], cursor)[-1]
        assert (last["data"]["status"], "error" in last["data"]["info"]) == ("done", False)
    assert [item["version"] for item in owner.versions(gid)] == [3, 1]
    events = owner.call("/sync/get", cc_cursor=cursor)["sync"]
    assert [event["data_key"] for event in events].count(second["job.token"]) == 2


def test_a_cancelled_backup_ends_as_cancelled_and_lists_nothing(
    service: Service, owner: Client, gid: str
) -> None:
    kept = owner.backup(gid)
    before = owner.versions(gid)
    cursor = owner.cursor()
    with held(database_of(service, gid)):
        job = owner.create(gid)["job.token"]
        owner.poll(cursor, is_processing(job))
        assert cancel(owner, gid, job) == "processing"
        assert cancel(owner, gid, job) == "processing"
    last = owner.wait_for(job, cursor)[-1]["data"]
    assert last["status"] == "done"
    assert last["info"]["error"] == {
        "code": 1003,
        "message": "Process error",
        "info": {"process": "backup", "reason": "cancelled"},
    }
    assert owner.versions(gid) == before
    events = owner.call("/sync/get", cc_cursor=cursor)["sync"]
    assert {event["data_type"] for event in events} == {"jobs"}
    # What the cancelled one left in the storage harms nobody.
    execute(database_of(service, gid), "INSERT INTO items VALUES ('second')")
    content = content_of(database_of(service, gid))
    version = owner.backup(gid)
    restored(owner, gid, kept)
    restored(owner, gid, version)
    assert content_of(database_of(service, gid)) == content


def test_a_cancelled_restore_ends_as_cancelled_and_changes_nothing(
    service: Service, owner: Client, gid: str
) -> None:
    version = owner.backup(gid)
    execute(database_of(service, gid), "UPDATE items SET name = 'written since'")
    content = content_of(database_of(service, gid))
    cursor = owner.cursor()
    with held(database_of(service, gid)):
        job = owner.restore(version, gid)["job.token"]
        owner.poll(cursor, is_processing(job))
        assert cancel(owner, gid, job) == "processing"
    last = owner.wait_for(job, cursor)[-1]["data"]
    assert last["info"]["error"]["info"] == {"process": "restore", "reason": "cancelled"}
    assert content_of(database_of(service, gid)) == content
    restored(owner, gid, version)
    assert content_of(database_of(service, gid)) != content


def test_a_job_that_has_ended_is_left_alone(service: Service, owner: Client, gid: str) -> None:
    version = owner.backup(gid)
    cursor = owner.cursor()
    for job in (
        owner.restore(version, gid, safety=False)["job.token"],
        owner.create(gid)["job.token"],
    ):
        owner.wait_for(job, cursor)
    before, cursor = jobs(owner, gid), owner.cursor()
    for job in before:
        assert cancel(owner, gid, job["token"]) == "done"
    assert jobs(owner, gid) == before
    assert owner.call("/sync/get", cc_cursor=cursor)["sync"] == []
    assert len(owner.versions(gid)) == 2


def test_a_viewer_sees_jobs_and_cancels_none(service: Service, owner: Client, gid: str) -> None:
    viewer = key_client(owner, gid, role="viewer")
    with held(database_of(service, gid)):
        owner.create(gid)
        job = owner.create(gid)["job.token"]
        assert jobs(viewer, gid, job=job)[0]["status"] == "queued"
        response = viewer.post(f"/api/p/{gid}/jobs/cancel", {"job": job})
        assert error_of(response) == (403, 403, "Forbidden", {})
        assert jobs(viewer, gid, job=job)[0]["status"] == "queued"


def test_workers_give_way_to_other_programs(service: Service, owner: Client, gid: str) -> None:
    owner.backup(gid)
    # See proc_pid_stat(5): the niceness is the 19th field.
    niceness = [
        int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[16])
        for pid in service.processes()
    ]
    assert 10 in niceness
    assert 0 in niceness
