"""From a database to a stored version."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from backups.engines.interface import Engine, Progress, Snapshot
from backups.errors import ManifestUnreadable
from backups.phases import TakeProgress
from backups.store.draft import Draft
from backups.store.lender import Lender, usable_lender
from backups.store.lenders import Lenders
from backups.store.manifest import Manifest
from backups.store.outline import Outline
from backups.store.project import ProjectStore
from backups.store.tables import Table

logger = logging.getLogger(__name__)

Undo = list[Callable[[], None]]


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
    `unchanged`: the content is the parent's. `source_state`: see `Engine.state`.
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
    lender_keys: Sequence[str] = (),
    parent_state: str = "",
    keep_damaged: bool = False,
    progress: Progress,
) -> Taken:
    """Store what the database holds now as a version.

    For `parent_key` and `lender_keys` see `take_snapshot`. `parent_state` is what
    `Taken.source_state` of the parent was: if the engine tells the same now, the database is not
    read. Unless `keep_damaged`, a database that is found to be damaged is refused: DatabaseDamaged.
    Nothing that was stored stays when this raises: SourceError, StorageError, or what `progress`
    raised.
    """
    state = engine.state()
    if parent_key and state and state == parent_state:
        taken = _taken_again(project_store, label, parent_key, engine.name, state, progress)
        if taken is not None:
            return taken
    with engine.snapshot(keep_damaged=keep_damaged) as snapshot:
        return take_snapshot(
            snapshot,
            project_store,
            label,
            parent_key=parent_key,
            lender_keys=lender_keys,
            state=state,
            progress=progress,
        )


def take_snapshot(
    snapshot: Snapshot,
    project_store: ProjectStore,
    label: VersionLabel,
    *,
    parent_key: str | None,
    lender_keys: Sequence[str] = (),
    state: str = "",
    progress: Progress,
) -> Taken:
    """Store a snapshot as a version.

    `parent_key` and `lender_keys` are the manifest keys of earlier versions, which must be listed
    until this one is; what any of them has is not stored again. The parent is compared first; if it
    is of no use the newest of the others takes its part. Versions that are damaged or gone make the
    new one larger, never wrong. `state` is what the
    engine told before the snapshot. Nothing that was stored stays when this raises: SourceError,
    StorageError, or what `progress` raised. `progress` reaches 0 after all has been read back.
    """
    steps = TakeProgress(progress, snapshot.units, snapshot.unit_size)
    shape = project_store.shape(snapshot.unit_size)
    with project_store.press() as press, _undone_on_failure() as undo:
        lenders = Lenders(project_store, lender_keys, snapshot.engine, shape, preferred=parent_key)
        parent = lenders.leading
        draft = Draft(
            project_store, press, shape, lenders, version=label.version, size=snapshot.size
        )
        undo.append(draft.abort)
        for length in draft.add_all(snapshot.blocks(shape.block_size)):
            if draft.differs:
                snapshot.begin_facts()
            steps.read(length)
        # What was found of the same content before is as good, but for a fuller look.
        facts = None if snapshot.is_examined else draft.known_facts()
        if facts is None:
            facts = snapshot.facts
        snapshot.release()  # what is left concerns the store alone
        table, described = draft.outline(snapshot, facts)
        manifest = _manifest(
            project_store, label, parent, snapshot.engine, snapshot.tools, outline=table
        )
        stored = sum(table.length for table in draft.new_tables)
        stored += sum(pack.length for pack in draft.new_packs.values())
        taken = _listable(project_store, manifest, described, parent, stored, state, undo)
        lenders.remember(taken.manifest_key, manifest, described)
        steps.done()
    return taken


def _taken_again(
    project_store: ProjectStore,
    label: VersionLabel,
    parent_key: str,
    engine: str,
    state: str,
    progress: Progress,
) -> Taken | None:
    """A version with the parent's content; None when the parent can't answer for it."""
    parent = usable_lender(project_store, parent_key, engine)
    if parent is None or not parent.is_sound or not parent.is_there():
        return None
    steps = TakeProgress(progress, parent.outline.units, parent.outline.unit_size)
    manifest = _manifest(
        project_store,
        label,
        parent,
        engine,
        parent.manifest.tools,
        outline=parent.manifest.outline,
    )
    with _undone_on_failure() as undo:
        taken = _listable(project_store, manifest, parent.outline, parent, 0, state, undo)
        steps.done()
    return taken


def _manifest(
    project_store: ProjectStore,
    label: VersionLabel,
    parent: Lender | None,
    engine: str,
    tools: Mapping[str, str],
    *,
    outline: Table,
) -> Manifest:
    return Manifest(
        project=project_store.gid,
        version=label.version,
        parent=parent.manifest.version if parent else None,
        name=label.name,
        created_by=label.created_by,
        created_on=label.created_on,
        engine=engine,
        tools=tools,
        outline=outline,
    )


def _listable(
    project_store: ProjectStore,
    manifest: Manifest,
    described: Outline,
    parent: Lender | None,
    stored: int,
    state: str,
    undo: Undo,
) -> Taken:
    """Put the manifest, when all that it names is durable, and read it back.

    `stored`: bytes of what else is new. `undo` gets the step that takes the manifest back.
    """
    project_store.store.flush()
    key, sealed = project_store.sealed_manifest(manifest)

    def take_back() -> None:
        project_store.store.delete(key)
        # Before what it names goes too, or a power failure could bring it back without that.
        project_store.store.flush()

    undo.append(take_back)
    project_store.store.put(key, sealed)
    project_store.store.flush()
    outline = _read_back(project_store, key, manifest, described)
    return Taken(
        manifest_key=key,
        parent_version=manifest.parent,
        size=outline.size,
        stored=stored + len(sealed),
        unit_size=outline.unit_size,
        units=outline.units,
        content_hash=outline.content_hash.hex(),
        facts=outline.facts,
        unchanged=parent is not None and outline.content_hash == parent.outline.content_hash,
        source_state=state,
    )


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


@contextmanager
def _undone_on_failure() -> Iterator[Undo]:
    """Steps that take back what was put, done when the body raises, the last first."""
    steps: Undo = []
    try:
        yield steps
    except BaseException:
        for step in reversed(steps):
            try:
                step()
            except BaseException:  # the failure that led here is what counts
                logger.exception("What a broken-off backup had stored could not be removed")
        raise
