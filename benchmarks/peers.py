"""The others."""

import os
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from benchmarks.contestants import (
    Contestant,
    Restorer,
    Savepoint,
    SavepointReading,
    online_copy,
)
from benchmarks.measure import Cost, command

PASSWORD = "benchmark"  # of repositories that are thrown away


class Restic(Restorer):
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


class Borg(Restorer):
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


class Zstd(Restorer):
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


class BackupApi(Restorer):
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
