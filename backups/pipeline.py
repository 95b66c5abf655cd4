"""From a database to a stored version, and back."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from backups.engines.interface import Engine, Progress, Snapshot
from backups.errors import EngineDiffers, ManifestUnreadable
from backups.phases import RestorePhases, TakeProgress
from backups.store.content import StoredContent
from backups.store.draft import Draft
from backups.store.manifest import Manifest
from backups.store.outline import Outline
from backups.store.parent import usable_parent
from backups.store.press import Press
from backups.store.project import ProjectStore

__all__ = ["ProjectStore", "Taken", "VersionLabel", "purge", "restore", "take", "take_snapshot"]

logger = logging.getLogger(__name__)


class Keep(Protocol):
    """Keeps what a restore is about to write over."""

    def __call__(self, snapshot: Snapshot, *, progress: Progress) -> None: ...


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
    `unchanged`: the content is the parent's. For `source_state` see `Snapshot.source_state`.
    """

    manifest_key: str
    parent_version: int | None
    size: int
    stored: int
    unit_size: int
    units: int
    content_hash: str
    facts: Mapping[str, Any]
    unchanged: bool
    source_state: str


def take(
    engine: Engine,
    project_store: ProjectStore,
    label: VersionLabel,
    *,
    parent_key: str | None,
    progress: Progress,
) -> Taken:
    """Store what the database holds now as a version.

    For `parent_key` see `take_snapshot`. Nothing that was stored stays when this raises:
    SourceError, StorageError, or what `progress` raised.
    """
    with engine.snapshot() as snapshot:
        return take_snapshot(
            snapshot, project_store, label, parent_key=parent_key, progress=progress
        )


def take_snapshot(
    snapshot: Snapshot,
    project_store: ProjectStore,
    label: VersionLabel,
    *,
    parent_key: str | None,
    progress: Progress,
) -> Taken:
    """Store a snapshot as a version.

    `parent_key` is the manifest key of an earlier version; what it has is not stored again. A
    parent that is damaged or gone makes the version larger, never wrong. Nothing that was stored
    stays when this raises: SourceError, StorageError, or what `progress` raised. `progress`
    reaches 0 after all has been read back.
    """
    undo: list[Callable[[], None]] = []
    with project_store.press() as press:
        try:
            return _taken(snapshot, project_store, press, label, parent_key, progress, undo)
        except BaseException:
            _undo(undo)
            raise


def _taken(
    snapshot: Snapshot,
    project_store: ProjectStore,
    press: Press,
    label: VersionLabel,
    parent_key: str | None,
    progress: Progress,
    undo: list[Callable[[], None]],
) -> Taken:
    """See `take_snapshot`; `undo` gets the steps that take back what was put."""
    steps = TakeProgress(progress, snapshot)
    shape = project_store.shape(snapshot.unit_size)
    parent = usable_parent(project_store, parent_key, snapshot.engine, shape)
    draft = Draft(project_store, press, shape, parent)
    undo.append(draft.abort)
    for block in snapshot.blocks(shape.block_size):
        draft.add(block)
        steps.read(len(block))
    snapshot.release()  # what is left concerns the store alone
    table, described = draft.outline(snapshot)
    manifest = Manifest(
        project=project_store.gid,
        version=label.version,
        parent=parent.manifest.version if parent else None,
        name=label.name,
        created_by=label.created_by,
        created_on=label.created_on,
        engine=snapshot.engine,
        tools=snapshot.tools,
        outline=table,
    )
    # A manifest must never be on disk without its packs and tables.
    project_store.store.flush()
    key, sealed = project_store.sealed_manifest(manifest)
    undo.append(lambda: project_store.store.delete(key))
    project_store.store.put(key, sealed)
    project_store.store.flush()
    outline = _read_back(project_store, key, manifest, described)
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
        unchanged=parent is not None and outline.content_hash == parent.outline.content_hash,
        source_state=snapshot.source_state,
    )


def restore(
    engine: Engine,
    project_store: ProjectStore,
    manifest_key: str,
    *,
    keep: Keep | None = None,
    before_commit: Callable[[str], None],
    progress: Progress,
) -> None:
    """Make the database hold the version with this manifest key; see `Engine.restore`.

    `keep` is given what the database held, as `Engine.restore` says, and a progress of its own.
    """
    manifest = project_store.read_manifest(manifest_key)
    if manifest.engine != engine.name:
        raise EngineDiffers(
            f"the version was taken from a database of kind {manifest.engine},"
            f" the project's database is {engine.name}; nothing was changed"
        )
    outline = project_store.read_outline(manifest)
    steps = RestorePhases(progress, outline.units, keeps=keep is not None)
    with project_store.press() as press:
        engine.restore(
            StoredContent(project_store, press, outline),
            keep=partial(keep, progress=steps.kept) if keep else None,
            before_commit=before_commit,
            progress=steps.restored,
        )


def purge(project_store: ProjectStore, progress: Progress) -> None:
    """Delete every object of the project. Repeatable; raises StorageError.

    Manifests go first: what remains after a crash is tables and packs that nothing refers to.
    """
    keys = [
        *project_store.manifest_keys(),
        *project_store.table_keys(),
        *project_store.pack_keys(),
        *project_store.condemned_keys(),
    ]
    for done, key in enumerate(keys):
        progress(len(keys), len(keys) - done)
        project_store.store.delete(key)
    project_store.store.flush()


def _read_back(
    project_store: ProjectStore, key: str, written: Manifest, described: Outline
) -> Outline:
    """Check the stored manifest and its outline; the draft has checked all the rest."""
    manifest = project_store.read_manifest(key)
    if manifest != written:
        raise ManifestUnreadable("the manifest read back is not the one written")
    outline = project_store.read_outline(manifest)
    if outline != described:
        raise ManifestUnreadable("the outline read back is not the one written")
    return outline


def _undo(steps: list[Callable[[], None]]) -> None:
    """Take back what was put, the last first. The failure that led here is what counts."""
    for step in reversed(steps):
        try:
            step()
        except BaseException:
            logger.exception("What a broken-off backup had stored could not be removed")
