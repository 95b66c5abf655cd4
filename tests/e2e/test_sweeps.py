"""The space of deleted versions comes back, by itself and by the command."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands import attempt, run
from tests.content import content_of, execute
from tests.service import Client, Service, eventually


def files_of(service: Service, gid: str) -> dict[Path, int]:
    folder = service.folder / "store" / gid
    return {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def stored(service: Service, gid: str) -> int:
    return sum(files_of(service, gid).values())


def fill(database: Path) -> None:
    execute(database, "CREATE TABLE blobs (id INTEGER PRIMARY KEY, data BLOB)")
    execute(
        database,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)"
        " INSERT INTO blobs SELECT i, randomblob(3000) FROM n",
    )


def change(database: Path) -> None:
    """Two thirds of the bulk."""
    execute(database, "UPDATE blobs SET data = randomblob(3000) WHERE id % 3 > 0")


def sweeps(client: Client, gid: str) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = client.call(f"/api/p/{gid}/jobs/get")["jobs"]
    return [job for job in jobs if job["job"] == "sweep_project"]


def test_deleted_versions_are_swept_without_being_asked_and_all_others_restore(
    tmp_path: Path,
) -> None:
    service = Service(
        tmp_path, SWEEP_SECONDS="1", SWEEP_GRACE_SECONDS="0", HOUSEKEEPING_SECONDS="0.5"
    )
    service.start(megabytes=1)
    try:
        client = service.client()
        gid, database = service.add_project()
        fill(database)
        contents = {}
        for _ in range(6):
            version = client.backup(gid)
            contents[version] = content_of(database)
            change(database)
        client.backup()
        theirs = files_of(service, service.project)
        before = stored(service, gid)
        cursor = client.cursor()
        client.call(f"/api/p/{gid}/backups/delete", versions=[1, 2, 4, 5])

        ended = lambda event: (  # noqa: E731
            event.get("data", {}).get("job") == "sweep_project"
            and event["data"]["status"] == "done"
        )
        last = client.poll(cursor, ended)[-1]
        assert "error" not in last["data"]["info"]
        assert last["data"]["info"]["remaining"] == 0
        assert sweeps(client, gid)[0]["status"] == "done"
        assert stored(service, gid) < 0.6 * before
        assert files_of(service, service.project) == theirs
        assert [version["version"] for version in client.versions(gid)] == [6, 3]
        for version in (3, 6):
            cursor = client.cursor()
            job = client.restore(version, gid)["job.token"]
            assert "error" not in client.wait_for(job, cursor)[-1]["data"]["info"]
            assert content_of(database) == contents[version]

        listed = [version["version"] for version in client.versions(gid)]
        client.call(f"/api/p/{gid}/backups/delete", versions=listed)
        assert eventually(lambda: not files_of(service, gid), "all of it is gone")
    finally:
        service.end()


@pytest.fixture
def catalogue(service: Service) -> str:
    gid, _ = service.add_project(name="To be swept")
    client = service.client()
    for _ in range(2):
        client.backup(gid)
    client.call(f"/api/p/{gid}/backups/delete", version=1)
    return gid


def test_the_command_sweeps_and_tells_what_came_of_it(service: Service, catalogue: str) -> None:
    before = stored(service, catalogue)
    told = json.loads(run(service.environment, "sweep", catalogue, "--wait", "--json"))
    assert told["project"] == catalogue
    assert told["status"] == "done"
    assert (told["deleted"], told["freed"], told["written"]) == (0, 0, 0)
    assert told["waiting"] == 1, "its manifest, which waits for the time of grace"
    assert stored(service, catalogue) > before, "what waits is noted"
    text = run(service.environment, "sweep", catalogue, service.project, "--wait")
    assert f"To be swept ({catalogue}) is swept" in text
    assert text.count(" bytes came back") == 2


def test_a_sweep_that_fails_is_told_and_keeps_no_other_project_from_being_swept(
    service: Service, catalogue: str
) -> None:
    (listed,) = service.shell(
        "from backups.models import Backup\n"
        f"print(Backup.objects.restorable().get(project__gid='{catalogue}').manifest_key)"
    ).split()
    manifest = service.folder / "store" / listed
    kept = manifest.read_bytes()
    before = files_of(service, catalogue)
    manifest.unlink()
    done = attempt(service.environment, "sweep", catalogue, service.project, "--wait", "--json")
    assert done.returncode == 3
    assert "the manifest of version 2 is missing; nothing was deleted" in done.stderr
    broken, well = map(json.loads, done.stdout.splitlines())
    assert broken["info"]["error"]["info"]["process"] == "sweep"
    assert well["status"] == "done" and "error" not in well["info"]
    manifest.write_bytes(kept)
    assert files_of(service, catalogue) == before


def test_the_command_refuses_what_it_can_not_sweep(service: Service) -> None:
    done = attempt(service.environment, "sweep", "no such project")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no project" in done.stderr
