"""From a database to a stored version (see `backups.taking`), and back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from backups.engines.interface import Engine, Progress, Snapshot
from backups.errors import EngineDiffers
from backups.phases import RestorePhases
from backups.store.content import StoredContent
from backups.store.project import ProjectStore
from backups.taking import Taken, VersionLabel, take, take_snapshot

__all__ = [
    "ProjectStore",
    "Taken",
    "VersionLabel",
    "opened_content",
    "purge",
    "restore",
    "take",
    "take_snapshot",
]


class Keep(Protocol):
    """Keeps what a restore is about to write over."""

    def __call__(self, snapshot: Snapshot, *, progress: Progress) -> None: ...


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


@contextmanager
def opened_content(project_store: ProjectStore, manifest_key: str) -> Iterator[StoredContent]:
    """The content of the version with this manifest key. Raises StorageError."""
    outline = project_store.read_outline(project_store.read_manifest(manifest_key))
    with project_store.press() as press:
        yield StoredContent(project_store, press, outline)


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
    project_store.index_cache().remove()
