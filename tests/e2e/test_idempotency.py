"""Idempotency-Key: a call repeated brings the first result, and does nothing a second time."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.content import content_of, execute
from tests.e2e.test_contract import error_of
from tests.e2e.test_people import database_of, key_client, new_project, person
from tests.service import Client, Service

HEADER = "Idempotency-Key"
DAY = 86400


@pytest.fixture(scope="module")
def owner(service: Service) -> Client:
    return person(service, "repeats-calls")


@pytest.fixture
def gid(owner: Client) -> str:
    return new_project(owner)


def post(client: Client, gid: str, path: str, key: str, **body: Any) -> httpx.Response:
    return client.post(f"/api/p/{gid}/backups/{path}", body, **{HEADER: key})


def create(client: Client, gid: str, key: str, **body: Any) -> dict[str, Any]:
    """The whole answer of a call that must succeed."""
    response = post(client, gid, "create", key, **{"created_by": "tests"} | body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def jobs_of(client: Client, gid: str) -> list[str]:
    return [job["token"] for job in client.call(f"/api/p/{gid}/jobs/get")["jobs"]]


def shift(service: Service, key: str, seconds: int) -> None:
    """Make what is stored for a key older."""
    changed = service.shell(
        "from datetime import timedelta\nfrom django.db.models import F\n"
        "from projects.models import StoredAnswer\n"
        f"print(StoredAnswer.objects.filter(key={key!r})"
        f".update(created_on=F('created_on') - timedelta(seconds={seconds})))"
    )
    assert changed == "1"


def test_create_repeated_brings_the_first_answer_and_starts_no_second_job(
    owner: Client, gid: str
) -> None:
    cursor = owner.cursor()
    first = create(owner, gid, "one", name="once")
    job = first["result"]["job.token"]
    assert create(owner, gid, "one", name="once") == first
    owner.wait_for(job, cursor)
    # The order of a body's keys says nothing.
    response = owner.post(
        f"/api/p/{gid}/backups/create", {"name": "once", "created_by": "tests"}, **{HEADER: "one"}
    )
    assert response.json() == first
    assert jobs_of(owner, gid) == [job]
    assert [item["version"] for item in owner.versions(gid)] == [1]


def test_restore_repeated_brings_the_first_answer_and_restores_once(
    service: Service, owner: Client, gid: str
) -> None:
    version = owner.backup(gid)
    cursor = owner.cursor()
    first = post(owner, gid, "restore", "back", version=version).json()
    owner.wait_for(first["result"]["job.token"], cursor)
    execute(database_of(service, gid), "CREATE TABLE written_since (x)")
    written = content_of(database_of(service, gid))
    assert post(owner, gid, "restore", "back", version=version).json() == first
    assert len(jobs_of(owner, gid)) == 2
    owner.backup(gid)  # whatever was queued before it has been done
    assert content_of(database_of(service, gid)) == written


def test_delete_repeated_brings_the_first_answer(owner: Client, gid: str) -> None:
    versions = [owner.backup(gid) for _ in range(2)]
    first = post(owner, gid, "delete", "away", version=versions[0]).json()
    assert first["success"] is True
    owner.backup(gid)
    cursor = owner.cursor()
    again = post(owner, gid, "delete", "away", version=versions[0]).json()
    assert again["result"] == first["result"]
    assert owner.call("/sync/get", cc_cursor=cursor)["sync"] == []
    assert [item["version"] for item in owner.versions(gid)] == [3, 2]


def test_the_data_of_a_repeated_call_are_as_they_are_now(owner: Client, gid: str) -> None:
    cursor = owner.cursor()
    first = create(owner, gid, "now")
    owner.wait_for(first["result"]["job.token"], cursor)
    later = owner.backup(gid)
    post(owner, gid, "delete", "gone", version=first["result"]["version"])
    again = create(owner, gid, "now")
    assert again["result"] == first["result"]
    told = again["data"]["cc.projects"][gid]["backups"]
    assert [item["version"] for item in told["versions"]] == [later]
    assert told["next_version"] == later + 1


def test_little_is_kept_of_a_call_however_much_it_answers(
    service: Service, owner: Client, gid: str
) -> None:
    for _ in range(3):
        owner.backup(gid)
    keys = [str(uuid4()) for _ in range(2)]
    create(owner, gid, keys[0])
    post(owner, gid, "delete", keys[1], version=1)
    kept = service.shell(
        "import json\nfrom projects.models import StoredAnswer\n"
        f"rows = StoredAnswer.objects.filter(key__in={keys!r})\n"
        "print(*(len(json.dumps(row.answer)) for row in rows))"
    ).split()
    assert len(kept) == 2
    assert max(map(int, kept)) < 250


def test_twenty_calls_at_once_with_one_key_make_one_job(owner: Client, gid: str) -> None:
    key = str(uuid4())

    def call(_: int) -> dict[str, Any]:
        client = Client(owner.url, gid)
        client.token = owner.token
        return create(client, gid, key)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(call, range(20)))
    assert all(answer == answers[0] for answer in answers)
    assert jobs_of(owner, gid) == [answers[0]["result"]["job.token"]]


@pytest.mark.parametrize(
    ("path", "body", "other"),
    [
        ("create", {"created_by": "a"}, {"created_by": "b"}),
        ("create", {"created_by": "a"}, {"created_by": "a", "name": "named"}),
        ("create", {"created_by": "a"}, {"created_by": "a", "unknown": 1}),
        ("restore", {"version": 1}, {"version": 2}),
        ("delete", {"version": 1}, {"versions": [1]}),
    ],
)
def test_the_same_key_with_another_body_is_400_and_does_nothing(
    owner: Client, gid: str, path: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    for _ in range(2):
        owner.backup(gid)
    first = post(owner, gid, path, "k", **body)
    assert first.status_code == 200
    jobs = jobs_of(owner, gid)
    response = post(owner, gid, path, "k", **other)
    assert error_of(response)[:3] == (400, 400, "Bad request")
    assert set(error_of(response)[3]) == {HEADER}
    assert jobs_of(owner, gid) == jobs
    assert post(owner, gid, path, "k", **body).json() == first.json()


def test_a_key_means_nothing_to_another_user_or_on_another_path(owner: Client, gid: str) -> None:
    answers = [
        create(owner, gid, "shared"),
        create(key_client(owner, gid), gid, "shared"),
        create(owner, new_project(owner), "shared"),
    ]
    assert [answer["result"]["version"] for answer in answers] == [1, 2, 1]
    owner.backup(gid)
    restore = post(owner, gid, "restore", "shared", version=1).json()
    assert restore["success"] is True
    tokens = {answer["result"]["job.token"] for answer in [*answers, restore]}
    assert len(tokens) == 4


def test_a_call_that_failed_may_be_tried_again_with_its_key(
    service: Service, owner: Client, gid: str
) -> None:
    body = {"created_by": "tests", "name": "Backup 7"}
    for _ in range(2):
        assert error_of(post(owner, gid, "create", "again", **body))[1] == 1001
    assert create(owner, gid, "again", name="a good name")["result"]["version"] == 1

    database = database_of(service, gid)
    owner.backup(gid)
    database.rename(database.with_suffix(".away"))
    assert error_of(post(owner, gid, "create", "missing", created_by="tests"))[1] == 1003
    database.with_suffix(".away").rename(database)
    made = create(owner, gid, "missing")
    assert create(owner, gid, "missing") == made

    unknown = post(owner, gid, "restore", "later", version=4)
    assert error_of(unknown)[:2] == (422, 422)
    owner.backup(gid)
    assert post(owner, gid, "restore", "later", version=4).status_code == 200


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"na\xefve", b"\xe5\xa4\x87", b"a\tb"])
@pytest.mark.parametrize("path", ["create", "restore", "delete"])
def test_a_bad_key_is_400(owner: Client, key: bytes, path: str) -> None:
    project = new_project(owner)
    owner.backup(project)
    jobs = jobs_of(owner, project)
    response = owner.http.post(
        f"/api/p/{project}/backups/{path}",
        json={"created_by": "tests", "version": 1},
        headers=[(b"Authorization", f"Bearer {owner.token}".encode()), (HEADER.encode(), key)],
    )
    assert error_of(response)[:3] == (400, 400, "Bad request")
    assert set(error_of(response)[3]) == {HEADER}
    assert jobs_of(owner, project) == jobs
    assert len(owner.versions(project)) == 1


def test_the_longest_key_is_good(owner: Client, gid: str) -> None:
    key = "~" * 254 + "!"
    assert create(owner, gid, key) == create(owner, gid, key)
    assert create(owner, gid, key[:-1])["result"]["version"] == 2


def test_a_key_is_forgotten_after_a_day_and_not_before(
    service: Service, owner: Client, gid: str
) -> None:
    key = str(uuid4())
    first = create(owner, gid, key)
    shift(service, key, DAY - 600)
    assert create(owner, gid, key) == first
    shift(service, key, 601)
    second = create(owner, gid, key, name="another body")
    assert second["result"]["version"] == 2
    assert create(owner, gid, key, name="another body") == second
    assert len(jobs_of(owner, gid)) == 2
