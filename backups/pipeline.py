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
from backups.store.outline import Outline
from backups.store.parent import usable_parent
from backups.store.press import Press
from backups.store.project import ProjectStore
from backups.store.readback import ReadBack

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
    with project_store.press() as press:
        try:
            return _taken(engine, project_store, press, label, parent_key, progress, undo)
        except BaseException:
            _undo(undo)
            raise


def _taken(
    engine: Engine,
    project_store: ProjectStore,
    press: Press,
    label: VersionLabel,
    parent_key: str | None,
    progress: Progress,
    undo: list[Callable[[], None]],
) -> Taken:
    """See `take`; `undo` gets the steps that take back what was put."""
    with engine.snapshot() as snapshot:
        steps = _TakeProgress(progress, snapshot)
        shape = project_store.shape(snapshot.unit_size)
        parent = usable_parent(project_store, parent_key, snapshot.engine, shape)
        draft = Draft(project_store, press, shape, parent)
        undo.append(draft.abort)
        for block in snapshot.blocks(shape.block_size):
            draft.add(block)
            steps.read(len(block))
    # The database is free again; what is left concerns the store alone.
    manifest = Manifest(
        project=project_store.gid,
        version=label.version,
        parent=parent.manifest.version if parent else None,
        name=label.name,
        created_by=label.created_by,
        created_on=label.created_on,
        engine=snapshot.engine,
        tools=snapshot.tools,
        outline=draft.outline(snapshot),
    )
    # A manifest must never be on disk without its packs and tables.
    project_store.store.flush()
    key, sealed = project_store.sealed_manifest(manifest)
    undo.append(lambda: project_store.store.delete(key))
    project_store.store.put(key, sealed)
    project_store.store.flush()
    outline = _read_back(project_store, press, key, manifest, draft, steps)
    steps.done()
    return Taken(
        manifest_key=key,
        parent_version=manifest.parent,
        size=outline.size,
        stored=len(sealed)
        + sum(table.length for table in draft.new_tables)
        + sum(pack.length for pack in draft.new_packs.values()),
        unit_size=outline.unit_size,
        units=outline.units,
        content_hash=outline.content_hash.hex(),
        facts=outline.facts,
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
    outline = project_store.read_outline(manifest)
    with project_store.press() as press:
        content = StoredContent(project_store, press, outline)
        engine.restore(content, before_commit=before_commit, progress=progress)


def purge(project_store: ProjectStore, progress: Progress) -> None:
    """Delete every object of the project. Repeatable; raises StorageError.

    Manifests go first: what remains after a crash is tables and packs that nothing refers to.
    """
    keys = [
        *project_store.manifest_keys(),
        *project_store.table_keys(),
        *project_store.pack_keys(),
    ]
    for done, key in enumerate(keys):
        progress(len(keys), len(keys) - done)
        project_store.store.delete(key)
    project_store.store.flush()


def _read_back(
    project_store: ProjectStore,
    press: Press,
    key: str,
    written: Manifest,
    draft: Draft,
    steps: "_TakeProgress",
) -> Outline:
    """Check the stored manifest, its outline, and each new layer and pack."""
    manifest = project_store.read_manifest(key)
    if manifest != written:
        raise ManifestUnreadable("the manifest read back is not the one written")
    outline = project_store.read_outline(manifest)
    checks = ReadBack(project_store, press, outline, draft.new_packs)
    for number, table in draft.new_layers:
        for size in checks.check(number, table):
            steps.checked(size)
    return outline


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
