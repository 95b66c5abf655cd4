"""Versions after they were made: renamed, deleted, told of; what is left can be restored."""

import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.content import content_of, execute
from tests.e2e.test_contract import error_of
from tests.service import Client, Service

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


@contextmanager
def held(database: Path) -> Iterator[None]:
    """A program holds the database, which is not in WAL mode, for itself: jobs wait for it."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield
        assert holder.poll() is None
        holder.communicate()
    assert holder.returncode == 0


def is_processing(job: str) -> Callable[[dict[str, Any]], bool]:
    """Whether an event says that the job is being worked at."""
    return lambda event: event["data_key"] == job and event["data"]["status"] == "processing"


def restored(client: Client, gid: str, version: int) -> None:
    """Go back to a version, and keep none of what was there; the job must end well."""
    cursor = client.cursor()
    last = client.wait_for(client.restore(version, gid, safety=False)["job.token"], cursor)[-1]
    assert last["data"]["status"] == "done"
    assert "error" not in last["data"]["info"], last


class Shelf:
    """A project with some versions of different content."""

    def __init__(self, service: Service, versions: int) -> None:
        self.client = Client(service.url, "")
        self.client.call("/api/login", username=service.username, password=service.password)
        self.gid = self.client.call("/api/projects/create", name="Shelf")["project"]
        self.database = service.folder / "databases" / f"{self.gid}.sqlite3"
        execute(self.database, "CREATE TABLE items (id INTEGER PRIMARY KEY, text TEXT)")
        self.content: dict[int, str] = {}
        for _ in range(versions):
            self.add()

    def add(self) -> int:
        """Change the content and make a version of it."""
        count = len(self.content) + 1
        execute(
            self.database,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)"
            f" INSERT INTO items (text) SELECT {count} || hex(randomblob(40)) FROM n",
        )
        version = self.client.backup(self.gid, name=f"state {count}")
        self.content[version] = content_of(self.database)
        return version

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(f"/api/p/{self.gid}/backups/{path}", body)

    def names(self) -> dict[int, str]:
        return {item["version"]: item["name"] for item in self.client.versions(self.gid)}

    def changes(self, cursor: int) -> list[tuple[str, str, str]]:
        events = self.client.call("/sync/get", cc_cursor=cursor)["sync"]
        assert all("data" not in event for event in events)
        return [(event["action"], event["data_type"], event["data_key"]) for event in events]

    def assert_each_can_be_restored(self, *versions: int) -> None:
        for version in versions:
            restored(self.client, self.gid, version)
            assert content_of(self.database) == self.content[version]


@pytest.fixture(scope="module")
def shelf(service: Service) -> Shelf:
    """For tests that delete nothing."""
    return Shelf(service, 3)


@pytest.fixture
def own_shelf(service: Service) -> Shelf:
    return Shelf(service, 4)


# --- Renaming -------------------------------------------------------------------------------------


def test_a_renamed_version_is_the_same_in_all_but_its_name(shelf: Shelf) -> None:
    before = shelf.client.versions(shelf.gid)
    cursor = shelf.client.cursor()
    body = shelf.post("update", version=2, name="after the sale").json()
    assert body["result"] == {"project": shelf.gid, "version": 2}
    assert set(body["data"]) == {"cc.projects"}
    versions = body["data"]["cc.projects"][shelf.gid]["backups"]["versions"]
    expected = [
        item | {"name": "after the sale"} if item["version"] == 2 else item for item in before
    ]
    assert versions == expected == shelf.client.versions(shelf.gid)
    assert shelf.changes(cursor) == [("UPDATE", "cc.projects", shelf.gid)]
    shelf.assert_each_can_be_restored(2)


@pytest.mark.parametrize(
    "name",
    [
        "Backup 3",
        "backup 3",
        "BACKUP\u00a0\u00a03",
        " Backup\t3 ",
        "Backup3",
        "Backup 1000000",
        "Backup \uff13",
        "Backup \u0663",
        "Backup \u2462",
        "\uff22ackup 3",
        "Back\u200bup 3",
        "Backup 3\ufeff",
        "",
        "  ",
        "\u200b",
        "\u3000",
        "x" * 201,
        "line\nbreak",
        "bell\x07",
        "nul\x00",
        "\x7f",
        "right\u202eleft",
        "isolate\u2067d",
        "mark\u200f",
        "para\u2029graph",
    ],
)
def test_a_name_that_imitates_or_hides_is_1001_and_changes_nothing(shelf: Shelf, name: str) -> None:
    before, cursor = shelf.names(), shelf.client.cursor()
    response = shelf.post("update", version=2, name=name)
    assert error_of(response)[:3] == (422, 1001, "Validation error")
    assert set(error_of(response)[3]) == {"name"}
    assert shelf.names() == before
    assert shelf.changes(cursor) == []


@pytest.mark.parametrize(
    "name",
    [
        "Backup 2",
        "backup  2",
        "BACKUP \uff12",
        "Backup 02",
        "Backup 3b",
        "My Backup 3",
        "Backup",
        "备份 — über 🎉",
        "e\u0301te\u0301",
        "\u1112\u1161\u11ab",
        "  kept as it is  ",
        "x" * 200,
        "🎉" * 200,
        "<b>&amp;\"'",
    ],
)
def test_any_other_name_is_kept_in_normal_form_c(shelf: Shelf, name: str) -> None:
    body = shelf.post("update", version=2, name=name).json()
    assert body["success"], body
    assert shelf.names()[2] == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        ({}, {"version", "name"}),
        ({"version": 2}, {"name"}),
        ({"name": "x"}, {"version"}),
        ({"version": "2", "name": "x"}, {"version"}),
        ({"version": 2.0, "name": "x"}, {"version"}),
        ({"version": True, "name": None}, {"version", "name"}),
        ({"version": 2, "name": ["x"]}, {"name"}),
    ],
)
def test_bad_parameters_of_update_are_400(
    shelf: Shelf, body: dict[str, Any], parameters: set[str]
) -> None:
    response = shelf.post("update", **body)
    assert error_of(response)[:3] == (400, 400, "Bad request")
    assert set(error_of(response)[3]) == parameters


@pytest.mark.parametrize("version", [0, 4, 999999, 2**63 - 1])
def test_renaming_a_version_that_does_not_exist_is_422(shelf: Shelf, version: int) -> None:
    response = shelf.post("update", version=version, name="x")
    assert error_of(response) == (422, 422, "Unprocessable entity", {"version": version})


def test_a_viewer_renames_and_deletes_nothing_but_reads_all(service: Service, shelf: Shelf) -> None:
    made = shelf.client.call(f"/api/p/{shelf.gid}/api_keys/create", name="eye", role="viewer")
    viewer = Client(service.url, shelf.gid)
    viewer.call(f"/api/p/{shelf.gid}/auth", api_key=made["api_key"])
    before = shelf.client.versions(shelf.gid)
    for path, body in (
        ("update", {"version": 1, "name": "mine"}),
        ("delete", {"version": 1}),
        ("delete", {"versions": [1, 2]}),
        ("restore", {"version": 1}),
    ):
        response = viewer.post(f"/api/p/{shelf.gid}/backups/{path}", body)
        assert error_of(response) == (403, 403, "Forbidden", {})
    assert viewer.versions() == before
    assert len(viewer.call(f"/api/p/{shelf.gid}/backups/get")["backups"]) == 3


# --- Deleting -------------------------------------------------------------------------------------


def test_a_deleted_version_is_gone_and_the_others_can_be_restored(own_shelf: Shelf) -> None:
    before = own_shelf.client.versions(own_shelf.gid)
    cursor = own_shelf.client.cursor()
    body = own_shelf.post("delete", version=1).json()
    assert body["result"] == {"project": own_shelf.gid}
    assert set(body["data"]) == {"cc.projects"}
    backups = body["data"]["cc.projects"][own_shelf.gid]["backups"]
    assert backups == {"versions": before[:-1], "next_version": 5}
    assert own_shelf.changes(cursor) == [("UPDATE", "cc.projects", own_shelf.gid)]
    for path, more in (("restore", {}), ("update", {"name": "x"}), ("get", {})):
        response = own_shelf.post(path, version=1, **more)
        assert error_of(response) == (422, 422, "Unprocessable entity", {"version": 1}), path
    own_shelf.assert_each_can_be_restored(2, 4, 3)


def test_many_are_deleted_at_once_and_unknown_ones_skipped(own_shelf: Shelf) -> None:
    cursor = own_shelf.client.cursor()
    versions = [4, 0, 2, 2, 99, 2**63 - 1]
    body = own_shelf.post("delete", versions=versions).json()
    assert body["success"], body
    assert set(own_shelf.names()) == {1, 3}
    assert own_shelf.changes(cursor) == [("UPDATE", "cc.projects", own_shelf.gid)]
    # Numbers are never given again, not even the highest.
    assert own_shelf.add() == 5
    own_shelf.assert_each_can_be_restored(1, 5, 3)


def test_version_wins_over_versions(own_shelf: Shelf) -> None:
    own_shelf.client.call(f"/api/p/{own_shelf.gid}/backups/delete", version=3, versions=[1, 2])
    assert set(own_shelf.names()) == {1, 2, 4}
    own_shelf.client.call(f"/api/p/{own_shelf.gid}/backups/delete", version=0, versions=[1, 2])
    assert set(own_shelf.names()) == {1, 2, 4}


@pytest.mark.parametrize(
    "body", [{"version": 0}, {"version": 99}, {"versions": []}, {"versions": [0, 99]}]
)
def test_deleting_what_is_not_there_succeeds_and_tells_nobody(
    shelf: Shelf, body: dict[str, Any]
) -> None:
    before, cursor = shelf.names(), shelf.client.cursor()
    assert shelf.post("delete", **body).json()["result"] == {"project": shelf.gid}
    assert shelf.names() == before
    assert shelf.changes(cursor) == []


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "version"),
        ({"version": None}, "version"),
        ({"version": "1"}, "version"),
        ({"version": -1}, "version"),
        ({"version": 1.5}, "version"),
        ({"version": True}, "version"),
        ({"version": [1]}, "version"),
        ({"versions": 1}, "versions"),
        ({"versions": None}, "versions"),
        ({"versions": ["1"]}, "versions"),
        ({"versions": [1, None]}, "versions"),
        ({"versions": {"1": 1}}, "versions"),
        ({"versions": list(range(1001))}, "versions"),
    ],
)
def test_bad_parameters_of_delete_are_400_and_delete_nothing(
    shelf: Shelf, body: dict[str, Any], parameter: str
) -> None:
    response = shelf.post("delete", **body)
    assert error_of(response)[:3] == (400, 400, "Bad request")
    assert set(error_of(response)[3]) == {parameter}
    assert set(shelf.names()) == {1, 2, 3}


def test_all_versions_may_be_deleted_and_the_next_starts_anew(own_shelf: Shelf) -> None:
    own_shelf.client.call(f"/api/p/{own_shelf.gid}/backups/delete", versions=[1, 2, 3, 4])
    assert own_shelf.names() == {}
    assert own_shelf.client.call(f"/api/p/{own_shelf.gid}/init")["last_backed_up"] is None
    assert own_shelf.add() == 5
    own_shelf.assert_each_can_be_restored(5)


def test_a_version_deleted_before_its_restore_begins_ends_the_job_and_changes_nothing(
    own_shelf: Shelf,
) -> None:
    client, gid = own_shelf.client, own_shelf.gid
    cursor = client.cursor()
    with held(own_shelf.database):
        client.create(gid)
        job = client.restore(1, gid)["job.token"]
        own_shelf.post("delete", version=1)
    last = client.wait_for(job, cursor)[-1]
    assert last["data"]["info"]["error"]["info"] == {
        "process": "restore",
        "reason": "the version was deleted before its restore began",
    }
    assert content_of(own_shelf.database) == own_shelf.content[4]


# --- Versions that are not complete ---------------------------------------------------------------


def test_a_version_that_is_still_made_is_422_and_listed_only_when_it_is_whole(
    own_shelf: Shelf,
) -> None:
    client, gid = own_shelf.client, own_shelf.gid
    cursor = client.cursor()
    with held(own_shelf.database):
        created = client.create(gid)
        assert created["version"] == 5
        client.poll(cursor, is_processing(created["job.token"]))
        for path, more in (("restore", {}), ("update", {"name": "x"}), ("get", {})):
            response = own_shelf.post(path, version=5, **more)
            assert error_of(response) == (422, 422, "Unprocessable entity", {"version": 5}), path
        assert own_shelf.post("delete", version=5).json()["success"]
        assert set(own_shelf.names()) == {1, 2, 3, 4}
        assert len(client.call(f"/api/p/{gid}/backups/get")["backups"]) == 4
    client.wait_for(created["job.token"], cursor)
    own_shelf.content[5] = own_shelf.content[4]
    assert set(own_shelf.names()) == {1, 2, 3, 4, 5}
    own_shelf.assert_each_can_be_restored(1, 5)


def test_a_version_that_failed_is_422_for_good(own_shelf: Shelf) -> None:
    client, gid = own_shelf.client, own_shelf.gid
    whole = own_shelf.database.read_bytes()
    own_shelf.database.write_bytes(b"no database" * 1000)
    cursor = client.cursor()
    created = client.create(gid)
    last = client.wait_for(created["job.token"], cursor)[-1]
    assert last["data"]["info"]["error"]["code"] == 1003
    own_shelf.database.write_bytes(whole)
    for path, more in (("restore", {}), ("update", {"name": "x"}), ("get", {})):
        response = own_shelf.post(path, version=created["version"], **more)
        assert error_of(response)[3] == {"version": created["version"]}, path
    own_shelf.assert_each_can_be_restored(4, 1)


# --- Details --------------------------------------------------------------------------------------


def test_the_details_of_a_version_are_true(shelf: Shelf) -> None:
    (one,) = shelf.client.call(f"/api/p/{shelf.gid}/backups/get", version=3, facts=True)["backups"]
    listed = shelf.client.versions(shelf.gid)[0]
    assert {key: one[key] for key in listed} == listed
    assert set(one) - set(listed) == {
        "size",
        "stored",
        "duration",
        "state",
        "purpose",
        "unchanged",
        "sha256",
        "checked_on",
        "verified_on",
        "damage",
        "unchecked",
        "remarks",
        "facts",
    }
    assert (one["state"], one["purpose"], one["verified_on"]) == ("complete", "asked_for", None)
    assert (one["unchanged"], one["sha256"]) == (False, None)
    restored(shelf.client, shelf.gid, 3)
    assert one["size"] == shelf.database.stat().st_size
    assert 0 < one["stored"] < one["size"]
    assert 0 < one["duration"] < 60
    assert one["facts"]["tables"] == {"items": 1200}
    assert execute(shelf.database, "SELECT count(*) FROM items") == "(1200,)"


def test_several_versions_are_got_in_the_order_asked_for_and_an_unknown_one_refuses_all(
    shelf: Shelf,
) -> None:
    result = shelf.client.call(f"/api/p/{shelf.gid}/backups/get", versions=[2, 3, 1], facts=True)
    assert [item["version"] for item in result["backups"]] == [2, 3, 1]
    assert [item["facts"]["tables"]["items"] for item in result["backups"]] == [800, 1200, 400]
    for unknown in (0, 4):
        response = shelf.post("get", versions=[1, unknown])
        assert error_of(response) == (422, 422, "Unprocessable entity", {"version": unknown})


def test_pages_hold_every_version_once_also_while_versions_come_and_go(
    own_shelf: Shelf,
) -> None:
    path = f"/api/p/{own_shelf.gid}/backups/get"
    whole = own_shelf.client.call(path)
    assert [item["version"] for item in whole["backups"]] == [4, 3, 2, 1]
    assert whole["page.cursor"] is None
    for size in (1, 2, 3, 4, 5):
        seen: list[int] = []
        cursor: int | None = None
        while True:
            more = {} if cursor is None else {"page.cursor": cursor}
            page = own_shelf.client.call(path, **{"page.size": size, **more})
            assert 0 < len(page["backups"]) <= size
            seen += [item["version"] for item in page["backups"]]
            cursor = page["page.cursor"]
            if cursor is None:
                break
        assert seen == [4, 3, 2, 1]
    first = own_shelf.client.call(path, **{"page.size": 2})
    own_shelf.add()
    own_shelf.post("delete", version=3)
    rest = own_shelf.client.call(path, **{"page.size": 2, "page.cursor": first["page.cursor"]})
    assert [item["version"] for item in rest["backups"]] == [2, 1]


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"page.size": 0}, "page.size"),
        ({"page.size": 1001}, "page.size"),
        ({"page.size": "2"}, "page.size"),
        ({"page.cursor": -1}, "page.cursor"),
        ({"page.cursor": None}, "page.cursor"),
        ({"version": "1"}, "version"),
        ({"versions": "1"}, "versions"),
    ],
)
def test_bad_parameters_of_get_are_400(shelf: Shelf, body: dict[str, Any], parameter: str) -> None:
    response = shelf.post("get", **body)
    assert error_of(response)[:3] == (400, 400, "Bad request")
    assert set(error_of(response)[3]) == {parameter}
