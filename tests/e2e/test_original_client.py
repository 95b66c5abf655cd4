"""A client written for the original service works here unchanged."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.content import content_of, execute
from tests.e2e.original_client import CallFailed, JobFailed, OriginalClient, SignedOut
from tests.e2e.test_people import database_of, make_people, new_project, signed_in
from tests.service import Client, Service

PAUSE = 0.1


class Home:
    """A project with some content, its owner, and the original client with a key to it."""

    def __init__(self, service: Service, owner: Client, pause: float = PAUSE) -> None:
        self.owner = owner
        self.gid = new_project(owner, name="Home")
        self.database = database_of(service, self.gid)
        execute(
            self.database,
            "CREATE TABLE items AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
            " WHERE i < 5000) SELECT i AS id, hex(randomblob(200)) AS text FROM n",
        )
        self.key = owner.call(f"/api/p/{self.gid}/api_keys/create", name="app", role="member")
        self.client = OriginalClient(service.url, self.gid, pause=pause)
        self.client.auth(self.key["api_key"])

    def make(self, **body: Any) -> int:
        """A version made and followed to its end."""
        answers: list[dict[str, Any]] = []

        def ask() -> dict[str, Any]:
            answers.append(self.client.project.create_backup(created_by="the app", **body))
            return answers[0]

        steps = list(self.client.follow(ask))
        assert_went_well(steps, "backup_project")
        return int(answers[0]["version"])

    def go_back(self, version: int) -> None:
        steps = list(self.client.follow(lambda: self.client.project.restore_backup(version)))
        assert_went_well(steps, "restore_project")


def assert_went_well(steps: list[tuple[str, str, dict[str, Any]]], kind: str) -> None:
    assert {job for job, _, _ in steps} == {kind}
    statuses = [status for _, status, _ in steps]
    assert statuses[0] == "queued"
    assert set(statuses[1:-1]) == {"processing"}
    assert statuses[-1] == "done"
    remaining = [info["remaining"] for _, _, info in steps]
    assert remaining == sorted(remaining, reverse=True)
    assert remaining[0] > 0 == remaining[-1]


@pytest.fixture(scope="module")
def owner(service: Service) -> Client:
    make_people(service, "owns-the-home", "newcomer")
    return signed_in(service, "owns-the-home")


@pytest.fixture
def home(service: Service, owner: Client) -> Home:
    return Home(service, owner)


def test_it_signs_in_and_finds_all_that_it_reads_of_a_project(home: Home) -> None:
    client = home.client
    assert client.token.count(".") == 2
    assert client.user_gid in client.store["cc.users"]
    assert client.version.count(".") == 2
    assert client.cc_cursor > 0
    project = client.project
    assert project.name == "Home"
    assert project.languages == ["English"]
    assert project.channels == project.orderings == project.fieldlists == ["Default"]
    assert project.versions == []
    assert project.members["owns-the-home"] == ["owner", "member", "viewer"]
    assert len(project.members) == 2


def test_its_whole_life(home: Home) -> None:
    client, project, database = home.client, home.client.project, home.database
    first_content = content_of(database)

    # A version with a name and one without, each read right after the call and after its end.
    created: list[dict[str, Any]] = []

    def create() -> dict[str, Any]:
        created.append(project.create_backup(created_by="the app", name="as delivered"))
        backup = project.get_backup(created[0]["version"])
        assert backup["name"] == "as delivered"
        assert backup["timestamp"] == created[0]["last_backed_up"]
        return created[0]

    assert_went_well(list(client.follow(create)), "backup_project")
    first = created[0]["version"]
    assert project.get_backup(first)["created_by"] == "the app"
    execute(database, "UPDATE items SET text = 'second' WHERE id < 100")
    second_content = content_of(database)
    second = home.make()
    assert project.get_backup(second)["name"] == f"Backup {second}"
    assert [backup["version"] for backup in project.versions] == [second, first]

    project.rename_backup(first, "the very first")
    assert project.get_backup(first)["name"] == "the very first"
    with pytest.raises(CallFailed) as refused:
        project.rename_backup(first, f"Backup {second}")
    assert refused.value.args[0]["code"] == 1001

    # There and back.
    execute(database, "DROP TABLE items")
    home.go_back(first)
    assert content_of(database) == first_content
    home.go_back(second)
    assert content_of(database) == second_content
    # Each restore has kept what was there as a version like all others.
    kept = [backup["version"] for backup in project.versions if backup["version"] > second]
    assert [project.get_backup(version)["created_by"] for version in kept] == ["Savepoint"] * 2
    project.delete_backups(versions=kept)
    assert [backup["version"] for backup in project.versions] == [second, first]

    # One deleted, then several; what is left still works.
    third, fourth, fifth = (home.make() for _ in range(3))
    project.delete_backups(version=third)
    assert [backup["version"] for backup in project.versions] == [fifth, fourth, second, first]
    with pytest.raises(CallFailed) as refused:
        project.restore_backup(third)
    assert refused.value.args[0] == {
        "code": 422,
        "message": "Unprocessable entity",
        "info": {"version": third},
    }
    project.delete_backups(versions=[first, fifth, 0, 99])
    assert [backup["version"] for backup in project.versions] == [fourth, second]
    execute(database, "DELETE FROM items")
    home.go_back(fourth)
    assert content_of(database) == second_content

    home.owner.call(f"/api/p/{home.gid}/api_keys/revoke", prefix=home.key["prefix"])
    with pytest.raises(SignedOut):
        project.create_backup(created_by="the app")
    with pytest.raises(SignedOut):
        client.auth(home.key["api_key"])


def test_it_hears_of_a_failure_as_the_end_of_the_job(home: Home) -> None:
    home.make()
    home.database.write_bytes(b"no database" * 1000)
    with pytest.raises(JobFailed) as failed:
        home.make()
    error = failed.value.args[0]
    assert (error["code"], error["info"]["process"]) == (1003, "backup")
    home.client.init()
    assert [backup["version"] for backup in home.client.project.versions] == [1]


def test_it_keeps_up_with_what_others_do_while_it_follows_a_job(home: Home) -> None:
    client, project = home.client, home.client.project
    first = home.make()

    def meanwhile() -> dict[str, Any]:
        call = home.owner.call
        call(f"/api/p/{home.gid}/members/set", user="newcomer", role="viewer")
        call("/api/projects/update", project=home.gid, name="Renamed meanwhile")
        call(f"/api/p/{home.gid}/backups/update", version=first, name="theirs")
        return project.create_backup(created_by="the app")

    assert_went_well(list(client.follow(meanwhile)), "backup_project")
    assert project.name == "Renamed meanwhile"
    assert project.get_backup(first)["name"] == "theirs"
    newcomer = [one["roles"] for one in client.store["cc.projects_members"].values()]
    assert ["viewer"] in newcomer

    def removed() -> dict[str, Any]:
        home.owner.call(f"/api/p/{home.gid}/members/remove", user="newcomer")
        return project.create_backup(created_by="the app")

    list(client.follow(removed))
    assert len(client.store["cc.projects_members"]) == len(newcomer) - 1

    def back_again() -> dict[str, Any]:
        home.owner.call(f"/api/p/{home.gid}/members/set", user="newcomer", role="member")
        return project.create_backup(created_by="the app")

    list(client.follow(back_again))
    assert len(client.store["cc.projects_members"]) == len(newcomer)


REFUSALS = 3


class Gateway(BaseHTTPRequestHandler):
    """Passes calls on to the service; answers 502 at first when that does not take them.

    After some refusals it waits until the service is up, however long that takes on this machine.
    """

    upstream: str
    up: threading.Event
    refused = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kept = {
            name: value
            for name, value in self.headers.items()
            if name in ("Authorization", "Content-Type")
        }
        if type(self).refused == REFUSALS:
            self.up.wait()
        try:
            answer = httpx.post(self.upstream + self.path, content=body, headers=kept, timeout=30)
        except httpx.TransportError:
            type(self).refused += 1
            answer = httpx.Response(502, content=b"<html>Bad gateway</html>")
        self.send_response(answer.status_code)
        for name in ("Authorization", "WWW-Authenticate"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *args: Any) -> None:
        """Nothing: the tests' output is for the tests."""


@contextmanager
def gateway(handler: type[Gateway]) -> Iterator[str]:
    """The address of a gateway while it runs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_restart_of_the_service_behind_a_gateway_costs_it_nothing(
    own_service: Service,
) -> None:
    before = content_of(own_service.database)
    up = threading.Event()
    handler = type("Front", (Gateway,), {"upstream": own_service.url, "up": up})

    def start() -> None:
        own_service.start()
        up.set()

    starting = threading.Thread(target=start)
    with gateway(handler) as url:
        client = OriginalClient(url, own_service.project, pause=PAUSE)
        client.auth(own_service.api_key)

        def ask() -> dict[str, Any]:
            result = client.project.create_backup(created_by="the app")
            assert own_service.stop() == 0
            starting.start()
            return result

        steps = list(client.follow(ask))
        starting.join()
        assert handler.refused == REFUSALS
        assert steps[-1][1] == "done"
        (backup,) = client.project.versions
        execute(own_service.database, "DELETE FROM images")
        steps = list(client.follow(lambda: client.project.restore_backup(backup["version"])))
        assert_went_well(steps, "restore_project")
        assert content_of(own_service.database) == before
