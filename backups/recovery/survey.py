"""What a storage folder holds: its projects, their versions, and which of those are whole."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backups.errors import (
    OBJECT_DAMAGE,
    ObjectDamaged,
    ObjectMissing,
    StorageError,
    StorageUnwritable,
)
from backups.facts import Findings, findings_of
from backups.store.manifest import Manifest
from backups.store.outline import Outline
from backups.store.packs import pack_key
from backups.store.project import ProjectStore, is_gid
from backups.store.tables import table_key

_NAME = re.compile(r"(\d{8,})-[0-9a-f]{32}")


def projects_in(folder: Path) -> list[str]:
    """The gids under which there are manifests. Raises StorageUnwritable, ObjectMissing."""
    try:
        return sorted(
            entry.name
            for entry in folder.iterdir()
            if is_gid(entry.name) and (entry / "manifests").is_dir()
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ObjectMissing(f"there is no folder {folder}") from error
    except OSError as error:
        raise StorageUnwritable(f"the storage cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class Found:
    """A manifest in the storage, and what it tells if it can be read.

    `added`: bytes that no older version of the project needs. `damage`: why it can't be restored;
    empty when all of its objects are there at their full length. `trouble`: why that could not be
    found out now.
    """

    key: str
    version: int
    manifest: Manifest | None = None
    outline: Outline | None = field(default=None, repr=False)
    added: int = 0
    damage: str = ""
    trouble: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether it can be restored, for all that can be told without reading its packs."""
        return not self.damage and not self.trouble

    @property
    def findings(self) -> Findings:
        """What was known of its database when it was backed up."""
        return findings_of(self.outline.facts) if self.outline else Findings()

    @property
    def name(self) -> str:
        """By what it is told from other manifests of the same version."""
        return self.key.rpartition("/")[2]


def versions_in(project_store: ProjectStore) -> Iterator[Found]:
    """All manifests of a project, the oldest version first; one version may have several.

    Damage, and trouble of the disk, is told of the version that has it and keeps no other from
    being found. Raises StorageError only when the storage can't be listed.
    """
    survey = _Survey(project_store)
    for key in project_store.manifest_keys():
        if name := _NAME.fullmatch(key.rpartition("/")[2]):
            yield survey.found(key, int(name[1]))


def best_of_each(found: Iterable[Found]) -> list[Found]:
    """For each version, the oldest first, the manifest to restore it by: a whole one if any."""
    by_version: dict[int, list[Found]] = defaultdict(list)
    for one in found:
        by_version[one.version].append(one)
    return [min(by_version[version], key=preference) for version in sorted(by_version)]


def preference(found: Found) -> tuple[bool, int, str]:
    """Sort key for the manifests of one version, of which the smallest is tried first: one that is
    whole; then one whose packs are newer, as the others may be what a sweep is about to remove."""
    return not found.is_whole, -found.outline.next_pack if found.outline else 0, found.key


class _Survey:
    """Looks at each object once, however many versions need it."""

    def __init__(self, project_store: ProjectStore) -> None:
        self._project_store = project_store
        self._lengths: dict[str, int] = {}
        self._outlines: dict[str, Outline] = {}

    def found(self, key: str, version: int) -> Found:
        manifest = outline = None
        added, damage, trouble = 0, "", ""
        try:
            manifest = self._project_store.read_manifest(key)
            added = self._project_store.store.size(key)
            outline = self._outline(manifest)
            needed = dict(_needed(self._project_store.gid, manifest, outline))
            added += sum(needed[key] for key in needed.keys() - self._lengths.keys())
            wrong = sum(self._length(key) != length for key, length in needed.items())
            if wrong:
                damage = f"{wrong} of its {len(needed)} objects are missing or cut off"
        except OBJECT_DAMAGE as error:
            damage = error.reason
        except StorageError as error:
            trouble = error.reason
        return Found(key, version, manifest, outline, added, damage, trouble)

    def _outline(self, manifest: Manifest) -> Outline:
        name = manifest.outline.name
        if name not in self._outlines:
            self._outlines[name] = self._project_store.read_outline(manifest)
        return self._outlines[name]

    def _length(self, key: str) -> int:
        if key not in self._lengths:
            try:
                self._lengths[key] = self._project_store.store.size(key)
            except (ObjectMissing, ObjectDamaged):
                self._lengths[key] = -1
        return self._lengths[key]


def _needed(gid: str, manifest: Manifest, outline: Outline) -> Iterator[tuple[str, int]]:
    """The keys and lengths of all objects of a version, without its manifest."""
    yield table_key(gid, manifest.outline.name), manifest.outline.length
    for chain in outline.chains:
        for table in chain:
            yield table_key(gid, table.name), table.length
    for pack in outline.packs.values():
        yield pack_key(gid, pack.name), pack.length
