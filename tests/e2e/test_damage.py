"""Damaged and unchanged databases, as a client meets them."""

import os
import sqlite3
import time

import httpx

from tests.service import Service, eventually


def test_a_damaged_database_is_refused_unless_the_caller_insists(own_service: Service) -> None:
    client = own_service.client()
    gid, path = own_service.add_project()
    client.backup(gid)
    with path.open("r+b") as file:  # nobody has it open
        file.seek(4096 * 20)
        file.write(bytes(4096 * 3))
    damaged = path.read_bytes()
    cursor = client.cursor()
    job = client.create(gid)["job.token"]
    error = client.wait_for(job, cursor)[-1]["data"]["info"]["error"]["info"]
    assert error["process"] == "backup"
    assert "damage" in error["reason"]
    assert "keep_damaged" in error["reason"]
    assert len(client.versions(gid)) == 1
    version = client.backup(gid, keep_damaged=True)
    (found,) = client.call(f"/api/p/{gid}/backups/get", version=version)["backups"]
    assert "damage" in found["facts"]["damage"]
    answer = httpx.get(
        f"{client.url}/api/p/{gid}/backups/{version}/download",
        headers={"Authorization": f"Bearer {client.token}"},
    )
    assert answer.content == damaged


def test_an_unchanged_database_costs_a_manifest_and_says_that_it_is(own_service: Service) -> None:
    client = own_service.client()
    gid, path = own_service.add_project()
    # Old enough for its times to be believed.
    eventually(lambda: time.time() - os.stat(path).st_ctime > 3, "the last write is long ago")
    client.backup(gid)
    version = client.backup(gid)
    (found,) = client.call(f"/api/p/{gid}/backups/get", version=version)["backups"]
    assert found["unchanged"] is True
    assert found["stored"] < 1024
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE products SET name = 'changed' WHERE id = 1")
    connection.close()
    version = client.backup(gid)
    (found,) = client.call(f"/api/p/{gid}/backups/get", version=version)["backups"]
    assert found["unchanged"] is False
