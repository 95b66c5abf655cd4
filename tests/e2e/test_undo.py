"""What a restore keeps of what it writes over, and the way back to it, over the API."""

from typing import Any

import pytest

from tests.content import busy_writer, content_of, execute
from tests.e2e.test_contract import error_of
from tests.service import Client, Service


def details(client: Client, gid: str, version: int) -> dict[str, Any]:
    answer = client.call(f"/api/p/{gid}/backups/get", version=version)
    found: dict[str, Any] = answer["backups"][0]
    return found


def gone_back(client: Client, gid: str, version: int, **body: Any) -> list[dict[str, Any]]:
    """The events of a restore that ended well."""
    cursor = client.cursor()
    events = client.wait_for(client.restore(version, gid, **body)["job.token"], cursor)
    assert "error" not in events[-1]["data"]["info"], events[-1]
    return events


def test_a_restore_is_undone_by_the_version_that_it_has_kept(
    service: Service, client: Client
) -> None:
    gid, database = service.add_project(name="Undone by the API")
    saved = content_of(database)
    version = client.backup(gid)
    execute(database, "UPDATE products SET name = 'changed' WHERE id % 7 = 0")
    execute(database, "DROP TABLE images")
    changed = content_of(database)

    events = gone_back(client, gid, version)
    assert content_of(database) == saved
    remaining = [event["data"]["info"]["remaining"] for event in events]
    assert remaining == sorted(remaining, reverse=True) and remaining[-1] == 0

    kept = client.versions(gid)[0]
    assert kept["name"] == f"Before restoring version {version}"
    assert (kept["version"], kept["created_by"]) == (version + 1, "Savepoint")
    told = details(client, gid, kept["version"])
    assert (told["purpose"], told["state"]) == ("safety", "complete")
    assert 0 < told["stored"] < told["size"] / 2

    gone_back(client, gid, kept["version"])
    assert content_of(database) == changed
    assert [item["version"] for item in client.versions(gid)] == [3, 2, 1]
    gone_back(client, gid, 3)
    assert content_of(database) == saved


def test_without_safety_nothing_is_kept(service: Service, client: Client) -> None:
    gid, database = service.add_project(name="Not kept")
    saved = content_of(database)
    version = client.backup(gid)
    execute(database, "DELETE FROM images")
    gone_back(client, gid, version, safety=False)
    assert content_of(database) == saved
    assert [item["version"] for item in client.versions(gid)] == [version]


def test_what_is_kept_under_a_writer_is_one_moment(service: Service, client: Client) -> None:
    gid, database = service.add_project(name="Kept under a writer")
    with busy_writer(database):
        version = client.backup(gid)
        gone_back(client, gid, version)
    execute(database, "DROP TABLE accounts")
    gone_back(client, gid, version + 1)
    assert execute(database, "SELECT sum(held) FROM accounts") == "(2000,)"


@pytest.mark.parametrize("safety", ["true", 1, None, {}])
def test_safety_is_true_or_false(service: Service, client: Client, safety: Any) -> None:
    gid, _ = service.add_project(name="Neither")
    version = client.backup(gid)
    response = client.post(f"/api/p/{gid}/backups/restore", {"version": version, "safety": safety})
    status, code, _, info = error_of(response)
    assert (status, code, set(info)) == (400, 400, {"safety"})
