"""One call makes a version, live to watch; one call goes back. Real processes all the way."""

from typing import Any

import pytest

from tests.content import busy_writer, content_of, execute
from tests.service import Client, Service, has_ended

TORN = (
    "SELECT (SELECT sum(held) FROM accounts) = 2000, (SELECT 1000 - held FROM accounts WHERE id = 1)"
    " = (SELECT sum(length(description) - length(replace(description, ' moved', ''))) / 6"
    " FROM products)"
)


def assert_a_good_run(events: list[dict[str, Any]], kind: str, project: str) -> None:
    """The events of one job that ended well, as the contract has them."""
    assert events[0]["action"] == "INSERT"
    assert all(event["action"] == "UPDATE" for event in events[1:])
    assert {event["type"] for event in events} == {"cc"}
    assert {event["data"]["job"] for event in events} == {kind}
    assert {event["data"]["project_gid"] for event in events} == {project}
    statuses = [event["data"]["status"] for event in events]
    assert statuses[0] == "queued"
    assert statuses[-1] == "done"
    assert set(statuses[1:-1]) == {"processing"}
    remaining = [event["data"]["info"]["remaining"] for event in events]
    assert remaining == sorted(remaining, reverse=True)
    assert remaining[0] > 0
    assert remaining[-1] == 0
    assert "error" not in events[-1]["data"]["info"]
    assert events[-1]["data"]["info"]["total"] > 0
    cursors = [event["cursor"] for event in events]
    assert cursors == sorted(set(cursors))


def test_a_version_taken_under_a_writer_is_whole_and_is_gone_back_to_by_websocket(
    own_service: Service,
) -> None:
    client, database = own_service.client(), own_service.database
    assert database.stat().st_size >= 20 * 1024 * 1024
    with busy_writer(database), client.listen() as listener:
        created = client.create(name="before the import")
        assert_a_good_run(
            listener.follow(created["job.token"]), "backup_project", own_service.project
        )
        changes = [event["data_type"] for event in listener.events]
        assert changes.index("cc.projects") < len(changes) - 1
        assert listener.events[-1]["data_key"] == created["job.token"]
    assert [item["name"] for item in client.versions()] == ["before the import"]

    quiet = content_of(database)
    second = client.backup()
    execute(database, "DELETE FROM products WHERE id % 3 = 0")
    execute(database, "CREATE TABLE added (x)")
    assert content_of(database) != quiet

    with client.listen() as listener:
        restored = client.restore(second)
        assert restored["version"] == second
        assert_a_good_run(
            listener.follow(restored["job.token"]), "restore_project", own_service.project
        )
    assert content_of(database) == quiet

    with client.listen() as listener:
        restored = client.restore(created["version"])
        assert restored["last_restored"] == created["last_backed_up"]
        listener.follow(restored["job.token"])
    assert execute(database, TORN) == "(1, 1)"


def test_the_same_by_polling(own_service: Service) -> None:
    client, database = own_service.client(), own_service.database
    before = content_of(database)
    cursor = client.cursor()
    created = client.create()
    assert_a_good_run(
        client.wait_for(created["job.token"], cursor), "backup_project", own_service.project
    )
    execute(database, "UPDATE products SET name = 'lost' WHERE id < 500")
    cursor = client.cursor()
    restored = client.restore(created["version"])
    assert_a_good_run(
        client.wait_for(restored["job.token"], cursor), "restore_project", own_service.project
    )
    assert content_of(database) == before


def test_a_restore_under_a_writer_leaves_no_state_between_old_and_new(
    own_service: Service,
) -> None:
    client, database = own_service.client(), own_service.database
    with busy_writer(database):
        version = client.backup()
        execute(database, "CREATE TABLE written_later (x)")
        cursor = client.cursor()
        job = client.restore(version)["job.token"]
        ended = False
        while not ended:
            assert execute(database, TORN) == "(1, 1)"
            found = client.call("/sync/get", cc_cursor=cursor)["sync"]
            ended = any(has_ended(event, job) for event in found)
        assert "error" not in found[-1]["data"]["info"]
    assert execute(database, TORN) == "(1, 1)"
    later = "SELECT count(*) FROM sqlite_schema WHERE name = 'written_later'"
    assert execute(database, later) == "(0,)"


def test_the_event_that_the_project_changed_comes_before_the_end_of_the_job(
    service: Service, client: Client
) -> None:
    cursor = client.cursor()
    job = client.create()["job.token"]
    found = client.poll(cursor, lambda event: has_ended(event, job))
    assert (found[-2]["data_type"], found[-2]["data_key"]) == ("cc.projects", service.project)
    assert "data" not in found[-2]


def test_an_unchanged_database_costs_next_to_nothing_more(client: Client, service: Service) -> None:
    client.backup()
    version = client.backup()
    stored = service.shell(
        "from backups.models import Backup\n"
        f"b = Backup.objects.get(project__gid='{service.project}', version={version})\n"
        "print(b.stored, b.size, b.parent_version)"
    ).split()
    assert int(stored[0]) < int(stored[1]) / 100
    assert int(stored[2]) == version - 1


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_every_journal_mode_comes_back_as_it_was(
    service: Service, client: Client, mode: str
) -> None:
    gid, database = service.add_project(name=f"Journal {mode}")
    execute(database, f"PRAGMA journal_mode={mode}")
    before = content_of(database)
    version = client.backup(gid)
    execute(database, "DELETE FROM images")
    cursor = client.cursor()
    job = client.restore(version, gid)["job.token"]
    assert "error" not in client.wait_for(job, cursor)[-1]["data"]["info"]
    assert content_of(database) == before
    assert execute(database, "PRAGMA journal_mode") == f"('{mode.lower()}',)"


def test_a_database_file_that_is_gone_is_made_anew(service: Service, client: Client) -> None:
    gid, database = service.add_project(name="Gone")
    before = content_of(database)
    version = client.backup(gid)
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    cursor = client.cursor()
    job = client.restore(version, gid)["job.token"]
    assert "error" not in client.wait_for(job, cursor)[-1]["data"]["info"]
    assert content_of(database) == before
