"""The versions of a project as the tests keep their list: what the service has in its database."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from backups.engines.interface import Engine
from backups.pipeline import ProjectStore, Taken, VersionLabel, restore, take
from backups.store.memory import MemoryStore
from backups.store.objects import ObjectStore
from backups.store.repack import Worth
from backups.store.seal import Keyring
from backups.store.sweep import Swept, sweep

from .engines.memory_engine import BytesSnapshot, MemoryEngine
from .engines.sqlite_files import ignore

KEY = bytes(32)
UNIT = 16
# Tiny contents would never pay for the tables that tell of them.
ALWAYS = Worth(waste=0.3, gain=0)
NEVER = Worth(waste=2)


class UnitsEngine(MemoryEngine):
    """Like its base, in units of 16 bytes, or of so many."""

    def __init__(self, data: bytes = b"", unit_size: int = UNIT) -> None:
        super().__init__(data)
        self.unit_size = unit_size

    @contextmanager
    def snapshot(self, *, keep_damaged: bool = False) -> Iterator[BytesSnapshot]:
        snapshot = BytesSnapshot(self.data)
        snapshot.unit_size = self.unit_size
        snapshot.units = len(self.data) // self.unit_size
        yield snapshot


def small_project(
    store: ObjectStore | None = None,
    gid: str = "g",
    keyring: Keyring | None = None,
    unit: int = UNIT,
    cache: Path | None = None,
) -> ProjectStore:
    """Blocks of 4 units, segments of 6 blocks, frames of 8 units; packs of some frames."""
    return ProjectStore(
        MemoryStore() if store is None else store,
        keyring or Keyring.of(KEY),
        gid,
        block_size=4 * unit,
        segment_blocks=6,
        frame_size=8 * unit,
        pack_size=38 * unit,
        cache=cache,
    )


class Versions:
    """See `backups.store.sweep.Listing`: version -> its manifest's key, of those listed."""

    def __init__(
        self, project_store: ProjectStore, clock: Callable[[], float] = lambda: 1e9
    ) -> None:
        self.project_store = project_store
        self.store = project_store.store
        self.clock = clock
        self.listed: dict[int, str] = {}
        self.last = 0

    def manifest_keys(self) -> Sequence[str]:
        return list(self.listed.values())

    def knows(self, version: int) -> bool:
        return version <= self.last

    def confirm(self) -> None:
        return

    def switch(self, keys: Mapping[str, str]) -> None:
        self.listed = {version: keys.get(key, key) for version, key in self.listed.items()}

    def make(self, engine: Engine, parent: int | None) -> Taken:
        """Make the next version, compared with this one; it isn't listed yet."""
        self.last += 1
        return take(
            engine,
            self.project_store,
            VersionLabel(self.last, f"Backup {self.last}", "me", 1000.0),
            parent_key=self.listed[parent] if parent else None,
            lender_keys=list(self.listed.values()) if parent else (),
            progress=ignore,
        )

    def take(self, engine: Engine) -> Taken:
        """Make and list the next version, compared with the newest that is listed."""
        taken = self.make(engine, max(self.listed, default=None))
        self.listed[self.last] = taken.manifest_key
        return taken

    def put_back(self, version: int, engine: Engine) -> None:
        """Restore a version."""
        key = self.listed[version]
        restore(engine, self.project_store, key, before_commit=ignore, progress=ignore)

    def content(self, version: int) -> bytes:
        """What a version restores to."""
        return content_of(self.project_store, self.listed[version])

    def sweep(
        self,
        *,
        grace: float = 0.0,
        worth: Worth = ALWAYS,
        progress: Callable[[int, int], None] = ignore,
    ) -> Swept:
        """Sweep what the listed versions do not need."""
        return sweep(
            self.project_store,
            self,
            grace=grace,
            progress=progress,
            clock=self.clock,
            worth=worth,
        )

    def needed(self) -> set[str]:
        """The keys of all objects that the listed versions need."""
        return needed_by(self.project_store, self.listed.values())

    def size(self) -> int:
        """Bytes of all objects of the project."""
        return sum(self.store.size(key) for key in self.store.list(f"{self.project_store.gid}/"))


def content_of(project_store: ProjectStore, manifest_key: str) -> bytes:
    """What the version with this manifest restores to."""
    engine = MemoryEngine()
    engine.name = project_store.read_manifest(manifest_key).engine
    restore(engine, project_store, manifest_key, before_commit=ignore, progress=ignore)
    return engine.data


def needed_by(project_store: ProjectStore, manifest_keys: Iterable[str]) -> set[str]:
    """The keys of all objects of the versions with these manifests."""
    keys = set(manifest_keys)
    for key in list(keys):
        keys.update(project_store.needed_keys(project_store.read_manifest(key)))
    return keys
