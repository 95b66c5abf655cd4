"""Who is measured: each stores the database as it is, and gives it back."""

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from backups.engines.sqlite import SqliteEngine
from backups.pipeline import ProjectStore, VersionLabel, restore, take
from backups.store.local import LocalStore
from backups.store.seal import Keyring
from benchmarks.measure import Cost, bytes_below, command, forked

PASSWORD = "benchmark"
# What a worker does before and after this is measured by benchmarks.latency.
PACK_BYTES = 32 * 1024 * 1024


class Contestant:
    """One way to keep versions of a database file, in a folder of its own."""

    name = ""
    # The steps that are worth its time.
    steps: Iterable[str] = ("first", "a", "b", "c", "d")
    # In how many rounds it takes part at most.
    rounds = 1000

    def __init__(self, folder: Path, source: Path) -> None:
        self.folder, self.source = folder, source
        self.store = folder / "store"
        folder.mkdir(parents=True)
        self.prepare()

    def prepare(self) -> None:
        """Make the repository."""

    def available(self) -> bool:
        """Whether its programs are on this machine."""
        return True

    def back_up(self) -> Any:
        """Store the database as it is now; runs in a child."""
        raise NotImplementedError

    def restore(self, target: Path) -> None:
        """Put the newest version into a new file; runs in a child."""
        raise NotImplementedError

    def version(self) -> Cost:
        """Make the next version; `stored` is what it added."""
        before = bytes_below(self.store)
        cost = forked(self.back_up)
        stored = bytes_below(self.store) - before
        return Cost(cost.wall, cost.cpu, cost.peak, stored, cost.result)


def online_copy(source: Path, target: Path) -> None:
    """A consistent copy of a database in use, by SQLite's backup API."""
    target.unlink(missing_ok=True)
    with sqlite3.connect(source) as live, sqlite3.connect(target) as copy:
        live.backup(copy)
    live.close()
    copy.close()


class Savepoint(Contestant):
    """The core as a worker runs it, encrypted, durable and read back."""

    name = "Savepoint"
    # Whether the files' times may tell that nothing was written; else every page is read.
    by_state = True

    def prepare(self) -> None:
        self.manifest_keys: list[str] = []
        self.states: list[str] = []

    def project(self) -> ProjectStore:
        return ProjectStore(
            LocalStore(self.store), Keyring.of(bytes(32)), "g", pack_size=PACK_BYTES
        )

    def engine(self, path: Path) -> SqliteEngine:
        return SqliteEngine(path, scratch=self.folder)

    def back_up(self) -> list[str]:
        taken = take(
            self.engine(self.source),
            self.project(),
            VersionLabel(len(self.manifest_keys) + 1, "a", "benchmark", 0.0),
            parent_key=self.manifest_keys[-1] if self.manifest_keys else None,
            parent_state=self.states[-1] if self.by_state and self.states else "",
            progress=_ignore,
        )
        return [taken.manifest_key, taken.source_state]

    def version(self) -> Cost:
        cost = super().version()
        key, state = cost.result
        self.manifest_keys.append(key)
        self.states.append(state)
        return cost

    def put_back(self, target: Path, manifest_key: str) -> None:
        restore(
            self.engine(target),
            self.project(),
            manifest_key,
            before_commit=_ignore,
            progress=_ignore,
        )

    def restore(self, target: Path) -> None:
        self.put_back(target, self.manifest_keys[-1])


class SavepointReading(Savepoint):
    """The same, where the files' times can't be believed."""

    name = "Savepoint, reading all"
    steps = ("first", "a")
    by_state = False


class Restic(Contestant):
    """restic on an online copy: the file itself can't be read while it is in use."""

    name = "restic, online copy"

    def available(self) -> bool:
        return shutil.which("restic") is not None

    def prepare(self) -> None:
        if self.available():
            self._restic("init")

    def back_up(self) -> None:
        online_copy(self.source, self.folder / "copy.db")
        self._restic("backup", str(self.folder / "copy.db"))

    def restore(self, target: Path) -> None:
        out = target.with_suffix(".restic")
        self._restic("restore", "latest", "--target", str(out))
        os.rename(next(out.rglob("copy.db")), target)

    def _restic(self, *arguments: str) -> None:
        environment = {
            "RESTIC_REPOSITORY": str(self.store),
            "RESTIC_PASSWORD": PASSWORD,
            "RESTIC_CACHE_DIR": str(self.folder / "cache"),
        }
        command("restic", "--quiet", *arguments, environment=environment)


class Borg(Contestant):
    """borg on an online copy, encrypted, with zstd 1."""

    name = "borg, online copy"

    def available(self) -> bool:
        return shutil.which("borg") is not None

    def prepare(self) -> None:
        self.made = 0
        if self.available():
            self._borg("init", "--encryption", "repokey", str(self.store))

    def back_up(self) -> None:
        online_copy(self.source, self.folder / "copy.db")
        archive = f"{self.store}::{self.made}"
        self._borg("create", "--compression", "zstd,1", archive, str(self.folder / "copy.db"))

    def version(self) -> Cost:
        cost = super().version()
        self.made += 1
        return cost

    def restore(self, target: Path) -> None:
        out = target.with_suffix(".borg")
        out.mkdir()
        os.chdir(out)
        self._borg("extract", f"{self.store}::{self.made - 1}")
        os.rename(next(out.rglob("copy.db")), target)

    def _borg(self, *arguments: str) -> None:
        environment = {
            "BORG_PASSPHRASE": PASSWORD,
            "BORG_BASE_DIR": str(self.folder / "home"),
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
        }
        command("borg", *arguments, environment=environment)


class Zstd(Contestant):
    """`zstd -1 -T2` of the file, not encrypted: unsafe while the database is in use."""

    name = "zstd -1 -T2"

    def available(self) -> bool:
        return shutil.which("zstd") is not None

    def prepare(self) -> None:
        self.store.mkdir()
        self.made = 0

    def back_up(self) -> None:
        command("zstd", "-1", "-T2", "-q", self.source, "-o", self.store / f"{self.made}.zst")

    def version(self) -> Cost:
        cost = super().version()
        self.made += 1
        return cost

    def restore(self, target: Path) -> None:
        command("zstd", "-d", "-q", self.store / f"{self.made - 1}.zst", "-o", target)


class BackupApi(Contestant):
    """SQLite's backup API into a file, as `.backup` does: neither compressed nor encrypted."""

    name = "SQLite backup API"

    def prepare(self) -> None:
        self.store.mkdir()

    def back_up(self) -> None:
        online_copy(self.source, self.store / f"{len(os.listdir(self.store))}.db")

    def restore(self, target: Path) -> None:
        newest = max(self.store.iterdir(), key=lambda path: int(path.stem))
        online_copy(newest, target)


class DbBackup(Contestant):
    """django-dbbackup's command with its defaults and --compress."""

    name = "django-dbbackup"
    steps = ("first",)
    rounds = 1

    def available(self) -> bool:
        return find_spec("dbbackup") is not None

    def prepare(self) -> None:
        self.store.mkdir()
        (self.folder / "dbbackup_settings.py").write_text(
            "SECRET_KEY = 'benchmark'\nUSE_TZ = True\nINSTALLED_APPS = ['dbbackup']\n"
            "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3',"
            f" 'NAME': {str(self.source)!r}}}}}\n"
            "STORAGES = {'default': {'BACKEND': 'django.core.files.storage.FileSystemStorage'},"
            " 'staticfiles': {'BACKEND': 'django.core.files.storage.FileSystemStorage'},"
            " 'dbbackup': {'BACKEND': 'django.core.files.storage.FileSystemStorage',"
            f" 'OPTIONS': {{'location': {str(self.store)!r}}}}}}}\n"
        )

    def back_up(self) -> None:
        environment = {
            "PYTHONPATH": str(self.folder),
            "DJANGO_SETTINGS_MODULE": "dbbackup_settings",
        }
        arguments = ("-m", "django", "dbbackup", "--compress", "--noinput")
        command(sys.executable, *arguments, environment=environment)


CONTESTANTS: tuple[Callable[[Path, Path], Contestant], ...] = (
    Savepoint,
    SavepointReading,
    Restic,
    Borg,
    Zstd,
    BackupApi,
    DbBackup,
)


def _ignore(*_: object) -> None:
    return
