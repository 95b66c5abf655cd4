"""Damaged and unchanged databases, as a client meets them."""

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx

from tests.commands import Terminal, attempt, run
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
    (found,) = client.call(f"/api/p/{gid}/backups/get", version=version, facts=True)["backups"]
    assert "damage" in found["facts"]["damage"]
    assert found["damage"] == found["facts"]["damage"]
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


def test_commands_warn_of_damage_and_end_with_a_code_of_its_own(
    service: Service, tmp_path: Path
) -> None:
    gid, path = service.add_project(name="Damaged")
    with path.open("r+b") as file:  # nobody has it open
        file.seek(4096 * 20)
        file.write(bytes(4096 * 3))
    file_of_it = tmp_path / "damaged.sqlite3"
    file_of_it.write_bytes(path.read_bytes())

    def done(*arguments: str) -> tuple[int, dict[str, Any], str]:
        ended = attempt(service.environment, *arguments, "--wait", "--json")
        return ended.returncode, json.loads(ended.stdout), ended.stderr

    def tells(command: tuple[int, dict[str, Any], str], code: int, version: int) -> None:
        ended, told, said = command
        assert (ended, told["status"]) == (code, "done"), said
        assert told["damage"] == told["info"]["damage"] != ""
        assert f"warning: the database of version {version} is damaged: {told['damage']}" in said

    tells(done("backup", gid, "--keep-damaged"), 0, 1)
    tells(done("verify", gid, "1"), 5, 1)
    tells(done("verify", gid, "--all"), 5, 1)
    tells(done("restore", gid, "1", "--yes"), 5, 1)
    tells(done("clone", gid, "1"), 0, 1)
    assert done("import_file", gid, str(file_of_it))[0] == 3
    _, told, _ = imported = done("import_file", gid, str(file_of_it), "--keep-damaged")
    tells(imported, 0, told["version"])
    asked = attempt(service.environment, "restore", gid, "1", "--yes", "--json")
    assert (asked.returncode, "is damaged" in asked.stderr) == (0, True)
    assert json.loads(asked.stdout)["damage"]
    damage = told["damage"]
    header, *rows = run(service.environment, "versions", gid).splitlines()
    assert header.endswith("DAMAGE")
    assert any(row.endswith(damage) for row in rows)

    terminal = Terminal(service.environment, "restore", gid, "1")
    terminal.says(f"the database of version 1 is damaged: {damage}"[:60])
    terminal.says("Type yes to do it")
    terminal.type("no\n")
    assert terminal.end()[0] == 1
