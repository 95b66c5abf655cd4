"""A version made of a file of the server's machine."""

import json
import os
import sqlite3
from pathlib import Path

from tests.commands import attempt, run
from tests.e2e.test_files import ROWS, assert_no_upload_is_left, download, made
from tests.service import Service


def test_a_file_becomes_a_version_and_stays_as_it_is(service: Service, tmp_path: Path) -> None:
    gid, database = service.add_project(name="Gets a file")
    path = made(tmp_path / "a.db", *ROWS)
    content, before = path.read_bytes(), database.read_bytes()
    arguments = ("import_file", gid, str(path), "--name", "from a file", "--created-by", "me")
    told = json.loads(run(service.environment, *arguments, "--wait", "--json"))
    assert (told["project"], told["status"]) == (gid, "done")
    client = service.client()
    (version,) = client.call(f"/api/p/{gid}/backups/get", facts=True)["backups"]
    assert version["version"] == told["version"]
    assert version["name"] == "from a file"
    assert (version["created_by"], version["purpose"]) == ("me", "imported")
    assert version["facts"]["tables"] == {"t": 3000}
    assert download(client, gid, told["version"]).content == content
    assert path.read_bytes() == content
    assert database.read_bytes() == before
    assert_no_upload_is_left(service)


def test_a_database_in_use_is_taken_with_its_newest_changes_by_any_of_its_names(
    service: Service, tmp_path: Path
) -> None:
    gid, _ = service.add_project(name="Gets a file that is in use")
    path = made(tmp_path / "b.db", *ROWS, mode="wal")
    link = tmp_path / "link.db"
    link.symlink_to(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("INSERT INTO t(x) VALUES ('newest')")
    run(service.environment, "import_file", gid, str(link), "--wait")
    other.close()
    (version,) = service.client().call(f"/api/p/{gid}/backups/get", facts=True)["backups"]
    assert version["facts"]["tables"] == {"t": 3001}


def test_what_can_not_be_imported_is_one_line_and_leaves_nothing(
    service: Service, tmp_path: Path
) -> None:
    gid, _ = service.add_project(name="Gets no file")
    text = tmp_path / "text"
    text.write_text("no database at all, but a text that is longer than a header " * 20)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    damaged = made(tmp_path / "damaged.db", *ROWS)
    with damaged.open("r+b") as file:
        file.seek(4096 * 20)
        file.write(bytes(4096 * 3))
    for path, code, told in (
        (tmp_path / "missing", 1, "there is no database"),
        (tmp_path, 1, "is not a file"),
        (pipe, 1, "is not a file"),
        (text, 1, "is not a SQLite database"),
        (damaged, 3, "damage"),
    ):
        done = attempt(service.environment, "import_file", gid, str(path), "--wait")
        assert done.returncode == code, done.stderr
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    assert service.client().versions(gid) == []
    assert_no_upload_is_left(service)
