"""Versions come back from the storage and the key alone."""

import errno
import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backups.recovery import database
from tests.commands import attempt
from tests.service import ROOT

from .disaster import Disaster, damage, packs_only_of
from .engines.sqlite_files import connected
from .histories import GID, KEY, NEW_KEY, History

OTHER = "11111111-2222-4333-8444-555555555555"


@pytest.mark.parametrize("by", ["manage.py", "python -m"])
def test_a_version_is_restored_where_nothing_but_the_storage_and_the_key_is_left(
    disaster: Disaster, history: History, by: str
) -> None:
    for stored in history.versions:
        told = disaster.restore("--version", str(stored.version), by=by)
        assert disaster.target.read_bytes() == stored.content
        assert told["sha256"] == hashlib.sha256(stored.content).hexdigest()
        assert told["content_hash"] == stored.taken.content_hash
        assert (told["version"], told["name"]) == (stored.version, stored.name)
        assert (told["project"], told["size"]) == (GID, len(stored.content))
        assert (told["integrity"], told["passed_over"]) == ("ok", [])
        assert stat.S_IMODE(disaster.target.stat().st_mode) == 0o600
        disaster.target.unlink()
    assert list(disaster.folder.glob(".*")) == []


def test_the_newest_version_is_restored_when_none_is_named(
    disaster: Disaster, history: History
) -> None:
    done = disaster.run(
        GID.upper(), "--to", str(disaster.target), "--key-file", str(disaster.key_file)
    )
    assert done.returncode == 0, done.stderr
    assert "version 3 of" in done.stdout
    assert hashlib.sha256(history.versions[2].content).hexdigest() in done.stdout
    assert disaster.target.read_bytes() == history.versions[2].content


@pytest.mark.parametrize("lost", ["missing", "cut off", "damaged"])
def test_when_the_newest_is_damaged_that_is_told_and_the_one_before_it_is_restored(
    disaster: Disaster, history: History, lost: str
) -> None:
    (pack,) = packs_only_of(history, 3)
    if lost == "missing":
        pack.unlink()
    elif lost == "cut off":
        data = pack.read_bytes()
        pack.unlink()
        pack.write_bytes(data[:-1])
    else:
        damage(pack)
    told = disaster.restore()
    assert told["version"] == 2
    assert [one["manifest"][:8] for one in told["passed_over"]] == ["00000003"]
    assert disaster.target.read_bytes() == history.versions[1].content
    said = disaster.refused(GID, "--version", "3", "--to", str(disaster.target), "--force", code=3)
    assert "version 3" in said
    assert disaster.target.read_bytes() == history.versions[1].content
    assert list(disaster.folder.glob(".*")) == []


def test_versions_are_found_by_the_keys_of_before_and_after_a_rotation(
    disaster: Disaster, history: History
) -> None:
    history.keys = (NEW_KEY, KEY)
    history.grow(3)
    history.take()
    assert disaster.restore("--version", "3")["version"] == 3
    second = disaster.folder / "second.key"
    second.write_text(NEW_KEY.hex())
    disaster.target.unlink()
    assert disaster.restore("--key-file", str(second))["version"] == 4
    assert disaster.target.read_bytes() == history.versions[3].content


def test_the_key_is_taken_from_the_environment_the_key_folder_or_what_env_names(
    disaster: Disaster, history: History
) -> None:
    dotenv = disaster.folder / "env"
    dotenv.write_text(f"STORE_KEYS_FILE={disaster.key_file}\n")
    folder = disaster.folder / "keys"
    folder.mkdir()
    (folder / "store.key").write_text(KEY.hex())
    for variables in (
        {"STORE_KEYS": f"{NEW_KEY.hex()},{KEY.hex()}"},
        {"STORE_KEYS_FILE": str(disaster.key_file)},
        {"KEY_DIR": str(folder)},
        {"DATA_DIR": str(disaster.folder)},
        {"ENV_FILE": str(dotenv)},
    ):
        environment = disaster.environment | variables
        command = [sys.executable, "manage.py", "restore_from_store", str(disaster.store), GID]
        done = attempt(environment, command=[*command, "--to", str(disaster.target), "--force"])
        assert done.returncode == 0, done.stderr
        assert disaster.target.read_bytes() == history.versions[2].content


def test_a_key_that_is_missing_wrong_or_another_one_is_told_and_never_shown(
    disaster: Disaster, history: History
) -> None:
    to = ("--to", str(disaster.target))
    done = disaster.run(GID, *to)
    assert done.returncode == 1
    assert "store.key can't be read" in done.stderr
    disaster.key_file.write_text(NEW_KEY.hex())
    assert "is not configured" in disaster.refused(GID, *to, code=3)
    disaster.key_file.write_text(KEY.hex()[:-1])
    said = disaster.refused(GID, *to, code=1)
    assert "a key is 32 bytes" in said
    assert KEY.hex()[:20] not in said
    assert not disaster.target.exists()


def test_an_existing_file_is_replaced_only_when_that_is_said(
    disaster: Disaster, history: History
) -> None:
    disaster.target.write_text("dear to somebody")
    said = disaster.refused(GID, "--to", str(disaster.target), code=1)
    assert "exists" in said
    assert disaster.target.read_text() == "dear to somebody"
    disaster.restore("--force")
    assert disaster.target.read_bytes() == history.versions[2].content


def test_nothing_is_written_beside_what_sqlite_would_play_into_it(
    disaster: Disaster, history: History
) -> None:
    wal = disaster.target.with_name(disaster.target.name + "-wal")
    wal.write_bytes(b"somebody's last changes")
    for force in ((), ("--force",)):
        said = disaster.refused(GID, "--to", str(disaster.target), *force, code=1)
        assert "another database" in said
    assert not disaster.target.exists()


def test_what_can_not_be_is_refused_with_a_reason(disaster: Disaster, history: History) -> None:
    target = str(disaster.target)
    assert "no such version" in disaster.refused(GID, "--version", "9", "--to", target, code=3)
    assert GID in disaster.refused(OTHER, "--to", target, code=1)
    assert "is a folder" in disaster.refused(GID, "--to", str(disaster.folder), code=1)
    assert "no folder" in disaster.refused(GID, "--to", f"{target}/x/y", code=1)
    assert "--to" in disaster.refused(GID, code=2)
    for arguments in ((GID, "--version", "0", "--to", target), (GID, "--colour")):
        assert disaster.run(*arguments).returncode == 2
    (disaster.folder / "empty").mkdir()
    disaster.store = disaster.folder / "empty"
    assert "no stored versions" in disaster.refused(GID, "--to", target, code=1)
    disaster.store = disaster.folder / "none"
    assert "there is no folder" in disaster.refused("--list", code=1)


def test_a_version_that_sqlite_objects_to_is_restored_all_the_same_and_that_is_told(
    disaster: Disaster, history: History
) -> None:
    with connected(history.database) as connection:
        connection.execute("CREATE INDEX by_text ON notes(text)")
        connection.execute("PRAGMA writable_schema = on")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, '(text)', '(id)') WHERE name = 'by_text'"
        )
    stored = history.take()
    done = disaster.run(
        *(GID, "--to", str(disaster.target), "--json", "--key-file", str(disaster.key_file))
    )
    assert done.returncode == 5
    told = json.loads(done.stdout)
    assert told["integrity"] == told["damage"] != "ok"
    assert "bit for bit" in done.stderr
    assert disaster.target.read_bytes() == stored.content


def test_a_file_that_appears_meanwhile_is_left_alone_also_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoLinks:
        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def link(self, source: str, target: Path) -> None:
            if appears:
                target.write_text("mine")
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    class Bytes:
        unit_size, units, size = 1, 0, 0

        def blocks(self) -> Any:
            return iter(())

    monkeypatch.setattr(database, "os", NoLinks())
    target = tmp_path / "a.db"
    appears = True
    with pytest.raises(database.TargetRefused, match="appeared"):
        database.write_database(Bytes(), target, replace=False)
    assert target.read_text() == "mine"
    target.unlink()
    appears = False
    database.write_database(Bytes(), target, replace=False)
    assert target.read_bytes() == b""
    assert os.listdir(tmp_path) == ["a.db"]


def test_the_recovery_needs_none_of_the_packages_that_serve_the_web() -> None:
    code = (
        "import sys, backups.recovery.command\n"
        "found = {'django', 'rest_framework', 'channels', 'django_q', 'environs', 'rich', 'config',"
        " 'projects', 'jobs'} & set(sys.modules)\n"
        "assert not found, found"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_help_tells_of_it_beside_the_other_commands(disaster: Disaster) -> None:
    environment = dict(os.environ)
    assert "restore_from_store" in attempt(environment, "help").stdout
    told = attempt(environment, "help", "restore_from_store").stdout
    assert "--key-file" in told
    assert "--version N" in told
