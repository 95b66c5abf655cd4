"""A storage folder and a key, where all else of Savepoint is gone; and harm done to the storage."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.commands import attempt

from .histories import GID, KEY, History


class Disaster:
    """A storage folder and a key file; all else of Savepoint is gone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.key_file = folder / "kept.key"
        self.key_file.write_text(KEY.hex() + "\n")
        self.target = folder / "restored.sqlite3"
        # No settings: what they would need is missing, and Savepoint's own database is no database.
        (folder / "broken").write_text("this was a database")
        self.environment = {
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "DATA_DIR": str(folder / "gone"),
            "DATABASE_URL": f"sqlite:///{folder}/broken",
        }

    def run(self, *arguments: str, by: str = "manage.py") -> subprocess.CompletedProcess[str]:
        front = {
            "manage.py": [sys.executable, "manage.py", "restore_from_store"],
            "python -m": [sys.executable, "-m", "backups.recovery"],
        }[by]
        return attempt(self.environment, command=[*front, str(self.store), *arguments])

    def restore(self, *arguments: str, by: str = "manage.py") -> dict[str, Any]:
        """What a restore that must end well tells."""
        key = ("--key-file", str(self.key_file))
        done = self.run(GID, "--to", str(self.target), "--json", *key, *arguments, by=by)
        assert done.returncode == 0, done.stdout + done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def refused(self, *arguments: str, code: int) -> str:
        """What one that must not end well says."""
        key = ("--key-file", str(self.key_file))
        done = self.run(*arguments, *key)
        assert (done.returncode, done.stdout) == (code, ""), done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr


def packs_only_of(history: History, version: int) -> list[Path]:
    """The files of the packs that the version needs and the one before it does not."""
    project = history.project_store

    def needed(number: int) -> set[str]:
        key = history.versions[number - 1].taken.manifest_key
        return set(project.needed_keys(project.read_manifest(key)))

    return [
        history.store / key for key in needed(version) - needed(version - 1) if "/packs/" in key
    ]


def damage(file: Path) -> None:
    """Turn a bit over in the middle of an object; its length stays."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(stat.S_IRUSR | stat.S_IWUSR)
    file.write_bytes(data)


def make_unreadable(file: Path) -> None:
    """Let the system fail to read the file: it is there, and no byte is known to be wrong."""
    file.unlink()
    os.mknod(file, stat.S_IFSOCK | stat.S_IRUSR)  # which can't be opened, by nobody
