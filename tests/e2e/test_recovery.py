"""Savepoint's own database is lost: all versions come back, by file and by listing."""

import json
import shutil
from pathlib import Path

from config.keys import make_missing
from tests.commands import attempt
from tests.content import content_of, execute
from tests.service import Client, Service


def test_after_the_loss_of_everything_but_storage_and_key_all_versions_are_restored(
    tmp_path: Path,
) -> None:
    before = Service(tmp_path / "before")
    before.start(megabytes=1)
    contents: dict[int, str] = {}
    try:
        client = before.client()
        for change in (
            "SELECT 1",
            "UPDATE products SET description = 'other' WHERE id % 9 = 0",
            "CREATE TABLE grown AS SELECT * FROM products",
            "DELETE FROM products WHERE id > 50",
        ):
            execute(before.database, change)
            contents[client.backup(name=f"after {change[:6]}")] = content_of(before.database)
        names = {one["version"]: one["name"] for one in client.versions()}
        project = before.project
    finally:
        before.end()
    assert len(set(contents.values())) == 4

    kept = tmp_path / "after"
    kept.mkdir()
    shutil.move(before.folder / "store", kept / "store")
    (kept / "keys").mkdir()
    shutil.move(before.folder / "keys" / "store.key", kept / "keys" / "store.key")
    shutil.rmtree(before.folder)

    after = Service(kept)
    for version, content in contents.items():
        target = tmp_path / f"{version}.sqlite3"
        done = attempt(
            after.environment,
            *("restore_from_store", str(kept / "store"), project),
            *("--version", str(version), "--to", str(target)),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert content_of(target) == content

    make_missing(kept / "keys")
    after.start(megabytes=1)
    try:
        assert f"{project}  a new project" in after.manage("adopt_store", "--dry-run")
        told = json.loads(after.manage("adopt_store", "--owner", after.username, "--json"))
        assert told["projects"] == [
            {"project": project, "versions": sorted(contents), "damaged": [], "unreadable": []}
        ]
        database = kept / "databases" / f"{project}.sqlite3"
        api_key = after.manage("create_api_key", project, "recovery").strip()
        client = Client(after.url, project)
        client.call(f"/api/p/{project}/auth", api_key=api_key)
        assert {one["version"]: one["name"] for one in client.versions()} == names
        for version in sorted(contents, reverse=True):
            cursor = client.cursor()
            last = client.wait_for(client.restore(version)["job.token"], cursor)[-1]
            assert "error" not in last["data"]["info"], last
            assert content_of(database) == contents[version]
        # It goes on from there: the next number, and only what changed is stored.
        execute(database, "UPDATE products SET description = 'new' WHERE id = 1")
        content = content_of(database)
        assert client.backup() > max(contents)
        client.wait_for(client.restore(2)["job.token"], client.cursor() - 1)
    finally:
        after.end()
    assert content != contents[2]
    assert content_of(database) == contents[2]
