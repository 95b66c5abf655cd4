"""Versions that are verified, and put into projects of their own, over the API."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.content import content_of, execute
from tests.e2e.test_files import download
from tests.service import Client, Service


def details(client: Client, gid: str, version: int) -> dict[str, Any]:
    found: dict[str, Any] = client.call(f"/api/p/{gid}/backups/get", version=version)["backups"][0]
    return found


def verified(client: Client, gid: str, version: int) -> dict[str, Any]:
    """The last event of a verification."""
    cursor = client.cursor()
    token = client.call(f"/api/p/{gid}/backups/verify", version=version)["job.token"]
    event: dict[str, Any] = client.wait_for(token, cursor)[-1]
    return event


def packs_of(database: Path, gid: str) -> list[Path]:
    return sorted(database.parent.parent.glob(f"store/{gid}/packs/*/*"))


def test_a_whole_version_is_found_whole_and_a_damaged_one_damaged(
    service: Service, client: Client
) -> None:
    gid, database = service.add_project(name="Verified")
    version = client.backup(gid)
    assert "error" not in verified(client, gid, version)["data"]["info"]
    told = details(client, gid, version)
    assert told["verified_on"] is not None and told["damage"] is None
    # Known without a download, and that of the file which one gives.
    assert told["sha256"] == hashlib.sha256(download(client, gid, version).content).hexdigest()

    pack = packs_of(database, gid)[0]
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.unlink()
    pack.write_bytes(content)
    ended = verified(client, gid, version)["data"]["info"]
    assert ended["error"]["info"]["process"] == "verify"
    told = details(client, gid, version)
    assert told["verified_on"] is None and told["damage"]

    # The next version leans on nothing that may be damaged.
    saved = content_of(database)
    later = client.backup(gid)
    execute(database, "DELETE FROM images")
    cursor = client.cursor()
    events = client.wait_for(client.restore(later, gid)["job.token"], cursor)
    assert "error" not in events[-1]["data"]["info"]
    assert content_of(database) == saved


def test_a_clone_holds_the_version_and_leaves_its_source_alone(
    service: Service, client: Client
) -> None:
    gid, database = service.add_project(name="Source of a clone")
    saved = content_of(database)
    version = client.backup(gid)
    execute(database, "DELETE FROM images")
    live = content_of(database)
    told = json.loads(
        service.manage("clone", gid, str(version), "--name", "The clone", "--wait", "--json")
    )
    assert told["project"] != gid
    assert content_of(database.parent / f"{told['project']}.sqlite3") == saved
    assert content_of(database) == live
