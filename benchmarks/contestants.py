"""Who is measured: each stores the database as it is, and gives it back."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from backups.engines.sqlite import SqliteEngine
from backups.pipeline import ProjectStore, VersionLabel, restore, take
from backups.store.local import LocalStore
from backups.store.seal import Keyring
from benchmarks.measure import Cost, bytes_below, forked

# What a worker does before and after this is measured by benchmarks.latency.
PACK_BYTES = 32 * 1024 * 1024


class Contestant(ABC):
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

    @abstractmethod
    def prepare(self) -> None:
        """Make the repository."""

    def available(self) -> bool:
        """Whether its programs are on this machine."""
        return True

    @abstractmethod
    def back_up(self) -> Any:
        """Store the database as it is now; runs in a child."""

    def version(self) -> Cost:
        """Make the next version; `stored` is what it added."""
        before = bytes_below(self.store)
        cost = forked(self.back_up)
        stored = bytes_below(self.store) - before
        return Cost(cost.wall, cost.cpu, cost.peak, stored, cost.result)


class Restorer(Contestant):
    """One whose way back is measured too."""

    @abstractmethod
    def restore(self, target: Path) -> None:
        """Put the newest version into a new file; runs in a child."""


def online_copy(source: Path, target: Path) -> None:
    """A consistent copy of a database in use, by SQLite's backup API."""
    target.unlink(missing_ok=True)
    with sqlite3.connect(source) as live, sqlite3.connect(target) as copy:
        live.backup(copy)
    live.close()
    copy.close()


class Savepoint(Restorer):
    """The core as a worker runs it, encrypted, durable and read back."""

    name = "Savepoint"
    # Whether the files' times may tell that nothing was written; else every page is read.
    by_state = True

    def prepare(self) -> None:
        self.manifest_keys: list[str] = []
        self.states: list[str] = []

    def project(self) -> ProjectStore:
        return ProjectStore(
            LocalStore(self.store),
            Keyring.of(bytes(32)),
            "g",
            pack_size=PACK_BYTES,
            cache=self.folder / "cache",
        )

    def engine(self, path: Path) -> SqliteEngine:
        return SqliteEngine(path, scratch=self.folder)

    def back_up(self) -> list[str]:
        taken = take(
            self.engine(self.source),
            self.project(),
            VersionLabel(len(self.manifest_keys) + 1, "a", "benchmark", 0.0),
            parent_key=self.manifest_keys[-1] if self.manifest_keys else None,
            lender_keys=self.manifest_keys,
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


def _ignore(*_: object) -> None:
    return
