"""A version out of the storage into a new file, or the newest one that can be had."""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace as replaced
from pathlib import Path

from backups.errors import EngineDiffers, StorageError
from backups.facts import Findings, findings_of
from backups.recovery.database import WrittenDatabase, check_target, write_database
from backups.recovery.survey import Found, preference, versions_in
from backups.store.content import StoredContent
from backups.store.manifest import Manifest
from backups.store.outline import Outline
from backups.store.project import ProjectStore

_ENGINE = "sqlite"


@dataclass(frozen=True)
class Restored:
    """What was restored, and to where. `passed_over`: manifests tried before, and why not."""

    manifest: Manifest
    outline: Outline
    name: str
    path: Path
    database: WrittenDatabase
    passed_over: tuple[tuple[str, str], ...] = ()

    @property
    def findings(self) -> Findings:
        """What is known of the database in the file: by SQLite's check, or from its backup."""
        backed_up, found = findings_of(self.outline.facts), self.database.findings
        return Findings(found.damage or backed_up.damage, found.unchecked)


def restore(
    project_store: ProjectStore,
    path: Path,
    *,
    version: int | None,
    manifest: str | None,
    replace: bool,
    say: Callable[[str], None],
) -> Restored:
    """Write a version to `path`: this one, that of this manifest, or the newest there is.

    Manifests that turn out to be damaged are passed over, with a word through `say`. Raises
    TargetRefused with nothing written, StorageError when no manifest that is meant can be
    restored, EngineDiffers for a version of another kind of database.
    """
    check_target(path, replace=replace)
    meant = [
        one
        for one in versions_in(project_store)
        if (version is None or one.version == version) and manifest in (None, one.name)
    ]
    if not meant:
        raise StorageError("the storage has no such version")
    passed_over: list[tuple[str, str]] = []
    for found in sorted(meant, key=lambda one: (-one.version, preference(one))):
        try:
            restored = _restored(project_store, found, path, replace=replace)
        except StorageError as error:
            if error.reason not in [reason for _, reason in passed_over]:
                say(f"version {found.version} ({found.name}) is passed over: {error.reason}")
            passed_over.append((found.name, error.reason))
            continue
        _tell_of_others(restored, meant, say)
        return replaced(restored, passed_over=tuple(passed_over))
    raise StorageError("no version that is meant can be restored; nothing was written")


def _restored(project_store: ProjectStore, found: Found, path: Path, *, replace: bool) -> Restored:
    manifest, outline = found.manifest, found.outline
    if found.damage or manifest is None or outline is None:
        raise StorageError(found.damage or found.trouble)
    if manifest.engine != _ENGINE:
        raise EngineDiffers(
            f"version {found.version} is of a database of kind {manifest.engine};"
            f" only {_ENGINE} can be restored to a file"
        )
    with project_store.press() as press:
        content = StoredContent(project_store, press, outline)
        written = write_database(content, path, replace=replace)
    return Restored(manifest, outline, found.name, path, written)


def _tell_of_others(restored: Restored, meant: list[Found], say: Callable[[str], None]) -> None:
    """An attempt at a version that was cut off may have left a manifest of another moment."""
    version = restored.manifest.version
    others = [
        one.name
        for one in meant
        if one.version == version
        and one.outline
        and one.is_whole
        and one.outline.content_hash != restored.outline.content_hash
    ]
    if others:
        say(
            f"version {version} was restored by {restored.name}; another attempt at it found other"
            f" content: choose with --manifest {' or '.join(others)}"
        )
