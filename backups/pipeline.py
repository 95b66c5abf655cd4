"""From a database to a stored version, and back."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backups.engines.interface import Engine, Progress, Snapshot
from backups.errors import EngineDiffers, ManifestUnreadable
from backups.store.content import StoredContent
from backups.store.draft import Draft
from backups.store.manifest import Manifest
from backups.store.parent import usable_parent
from backups.store.project import ProjectStore

__all__ = ["ProjectStore", "Taken", "VersionLabel", "purge", "restore", "take"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VersionLabel:
    """What the asker says about a version. `created_on`: seconds since the epoch."""

    version: int
    name: str
    created_by: str
    created_on: float


@dataclass(frozen=True)
class Taken:
    """A version that is stored, durable and read back.

    `size` is the content's bytes, `stored` the bytes of the new objects, `content_hash` hex.
    """

    manifest_key: str
    parent_version: int | None
    size: int
    stored: int
    unit_size: int
    units: int
    content_hash: str
    facts: Mapping[str, Any]


def take(
    engine: Engine,
    project_store: ProjectStore,
    label: VersionLabel,
    *,
    parent_key: str | None,
    progress: Progress,
) -> Taken:
    """Store what the database holds now as a version.

    `parent_key` is the manifest key of an earlier version; what it has is not stored again. A
    parent that is damaged or gone makes the version larger, never wrong. Nothing that was stored
    stays when this raises: SourceError, StorageError, or what `progress` raised. `progress`
    reaches 0 after all has been read back.
    """
    undo: list[Callable[[], None]] = []
    try:
        with engine.snapshot() as snapshot:
            steps = _TakeProgress(progress, snapshot)
            parent = usable_parent(project_store, parent_key, snapshot.engine)
            draft = Draft(project_store, parent)
            undo.append(draft.abort)
            for block in snapshot.blocks(project_store.block_size):
                draft.add(block)
                steps.read(len(block))
        # The database is free again; what is left concerns the store alone.
        manifest = draft.manifest(
            snapshot,
            version=label.version,
            name=label.name,
            created_by=label.created_by,
            created_on=label.created_on,
        )
        # A manifest must never be on disk without its packs.
        project_store.store.flush()
        key, sealed = project_store.sealed_manifest(manifest)
        undo.append(lambda: project_store.store.delete(key))
        project_store.store.put(key, sealed)
        project_store.store.flush()
        new_packs = draft.new_packs
        _read_back(project_store, key, manifest, frozenset(p.name for p in new_packs), steps)
        steps.done()
    except BaseException:
        _undo(undo)
        raise
    return Taken(
        manifest_key=key,
        parent_version=manifest.parent,
        size=manifest.size,
        stored=len(sealed) + sum(pack.length for pack in new_packs),
        unit_size=manifest.unit_size,
        units=manifest.units,
        content_hash=manifest.content_hash.hex(),
        facts=manifest.facts,
    )


def restore(
    engine: Engine,
    project_store: ProjectStore,
    manifest_key: str,
    *,
    before_commit: Callable[[str], None],
    progress: Progress,
) -> None:
    """Make the database hold the version with this manifest key; see `Engine.restore`."""
    manifest = project_store.read_manifest(manifest_key)
    if manifest.engine != engine.name:
        raise EngineDiffers(
            f"the version was taken from a database of kind {manifest.engine},"
            f" the project's database is {engine.name}; nothing was changed"
        )
    content = _content(project_store, manifest)
    engine.restore(content, before_commit=before_commit, progress=progress)


def purge(project_store: ProjectStore, progress: Progress) -> None:
    """Delete every object of the project. Repeatable; raises StorageError.

    Manifests go first: what remains after a crash is packs that nothing refers to.
    """
    keys = [*project_store.manifest_keys(), *project_store.pack_keys()]
    for done, key in enumerate(keys):
        progress(len(keys), len(keys) - done)
        project_store.store.delete(key)
    project_store.store.flush()


def _content(
    project_store: ProjectStore, manifest: Manifest, new_packs: frozenset[str] = frozenset()
) -> StoredContent:
    return StoredContent(
        manifest,
        project_store.fingerprints(manifest.identifier_key),
        project_store.pack_reader(manifest, whole=new_packs),
    )


def _read_back(
    project_store: ProjectStore,
    key: str,
    written: Manifest,
    new_packs: frozenset[str],
    steps: "_TakeProgress",
) -> None:
    """Check the stored manifest, each new pack and each block that has bytes in one."""
    manifest = project_store.read_manifest(key)
    if manifest != written:
        raise ManifestUnreadable("the manifest read back is not the one written")
    content = _content(project_store, manifest, new_packs)
    new_frames = {
        place
        for place, frame in enumerate(manifest.frames)
        if manifest.packs[frame.pack].name in new_packs
    }
    for index in range(manifest.block_count):
        if any(piece.frame in new_frames for piece in manifest.block_pieces(index)):
            content.block(index)
        steps.checked(manifest.block_length(index))


def _undo(steps: list[Callable[[], None]]) -> None:
    """Take back what was put, the last first. The failure that led here is what counts."""
    for step in reversed(steps):
        try:
            step()
        except BaseException:
            logger.exception("What a broken-off backup had stored could not be removed")


class _TakeProgress:
    """Reading as nine tenths of the work, reading back as the last; never rises."""

    def __init__(self, progress: Progress, snapshot: Snapshot) -> None:
        self._progress = progress
        self._total = snapshot.units
        self._unit_size = snapshot.unit_size
        self._read = 0
        self._checked = 0
        self._remaining = self._total

    def read(self, size: int) -> None:
        """The snapshot's next `size` bytes are taken in."""
        self._read += size
        self._report()

    def checked(self, size: int) -> None:
        """The next `size` bytes are known to be in the store."""
        self._checked += size
        self._report()

    def done(self) -> None:
        """All is stored and checked."""
        self._progress(self._total, 0)

    def _report(self) -> None:
        done = (9 * self._read + self._checked) // (10 * self._unit_size)
        self._remaining = min(self._remaining, max(1, self._total - done))
        self._progress(self._total, self._remaining)
