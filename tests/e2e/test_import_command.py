"""A version made of a file of the server's machine."""

import json
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
    (version,) = client.call(f"/api/p/{gid}/backups/get")["backups"]
    assert version["version"] == told["version"]
    assert version["name"] == "from a file"
    assert (version["created_by"], version["purpose"]) == ("me", "imported")
    assert version["facts"]["tables"] == {"t": 3000}
    assert download(client, gid, told["version"]).content == content
    assert path.read_bytes() == content
    assert database.read_bytes() == before
    assert_no_upload_is_left(service)


def test_what_can_not_be_imported_is_one_line_and_leaves_nothing(
    service: Service, tmp_path: Path
) -> None:
    gid, _ = service.add_project(name="Gets no file")
    text = tmp_path / "text"
    text.write_text("no database at all")
    in_use = made(tmp_path / "b.db", *ROWS, mode="wal")
    other = sqlite3.connect(in_use, isolation_level=None)
    other.execute("INSERT INTO t(x) VALUES (1)")
    for path, told in (
        (tmp_path / "missing", "No such file"),
        (tmp_path, "Is a directory"),
        (text, "is not a SQLite database"),
        (in_use, "b.db-wal beside it holds changes"),
    ):
        done = attempt(service.environment, "import_file", gid, str(path), "--wait")
        assert done.returncode == 1, done.stderr
        assert told in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
    other.close()
    assert service.client().versions(gid) == []
    assert_no_upload_is_left(service)
