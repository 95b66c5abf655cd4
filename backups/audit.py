"""Whether a stored version is whole: each of its objects, and the database that they make."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from blake3 import blake3

from backups.engines.interface import Bytes, Engine, Progress
from backups.errors import (
    OBJECT_DAMAGE,
    DatabaseDamaged,
    EngineDiffers,
    NotADatabase,
    ObjectDamaged,
    ObjectMissing,
    StorageUnwritable,
    VersionDamaged,
)
from backups.facts import Findings
from backups.store.content import StoredContent
from backups.store.manifest import Manifest
from backups.store.outline import Outline
from backups.store.packs import Pack, pack_key
from backups.store.project import ProjectStore

# Packs are hashed so many bytes at a time: a pack need not fit into memory.
_PIECE_SIZE = 1 << 22


@dataclass(frozen=True)
class Audited:
    """A version that is whole.

    `sha256`: of its content, in hex, for those who download it; empty if the engine has not read
    all of it. `findings`: what the engine says of the database in it.
    """

    sha256: str
    findings: Findings


def audit(
    engine: Engine, project_store: ProjectStore, manifest_key: str, *, progress: Progress
) -> Audited:
    """Read, hash and open every object of a version, and let the engine examine its content.

    `engine` is of the version's kind; its database isn't touched. Raises
    VersionDamaged when something is missing, is not what was written, can't be opened, or makes no
    sound database. Other StorageErrors and SourceErrors mean that it could not be found out, and
    what `progress` raises is passed on. Changes nothing. Holds no more of a pack in memory than a
    restore does.
    """
    with _damage_told():
        manifest = _manifest(project_store, manifest_key)
        if manifest.engine != engine.name:
            raise EngineDiffers(
                f"the version was taken from a database of kind {manifest.engine},"
                f" the project's database is {engine.name}"
            )
        outline = project_store.read_outline(manifest)
        steps = _AuditProgress(progress, outline)
        _check_objects(project_store, outline, steps)
        with project_store.press() as press:
            content = _HashedContent(StoredContent(project_store, press, outline))
            findings = engine.examine(content, facts=outline.facts, progress=steps.examined)
            return Audited(content.sha256, findings)


class _HashedContent:
    """A content, see `Content`, whose SHA-256 is known when it was read to its end."""

    def __init__(self, content: StoredContent) -> None:
        self._content = content
        self.unit_size = content.unit_size
        self.units = content.units
        self.size = content.size
        self.block_size = content.block_size
        self.facts = content.facts
        self.sha256 = ""

    def blocks(self, known: Iterable[Bytes] = ()) -> Iterator[Bytes]:
        hasher = hashlib.sha256()
        for block in self._content.blocks(known):
            hasher.update(block)
            yield block
        self.sha256 = hasher.hexdigest()


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except OBJECT_DAMAGE as error:
        raise VersionDamaged(error.reason) from error
    except (DatabaseDamaged, NotADatabase) as error:
        raise VersionDamaged(
            f"all that was backed up is there, but it is no sound database: {error.reason}"
        ) from error


def _manifest(project_store: ProjectStore, key: str) -> Manifest:
    try:
        return project_store.read_manifest(key)
    except ObjectMissing as error:
        # A disk that isn't mounted must not pass for the loss of all versions.
        if next(project_store.store.list(f"{project_store.gid}/"), None) is None:
            raise StorageUnwritable(
                "the backup storage holds nothing at all of this project: it may be another one"
                " than before, or not mounted"
            ) from error
        raise


def _check_objects(project_store: ProjectStore, outline: Outline, steps: "_AuditProgress") -> None:
    """Compare each layer and pack with its name; one that is damaged does not hide the next."""
    tables = project_store.tables()
    objects: list[tuple[str, Callable[[], object]]] = [
        (f"layer {layer.name[:12]}", partial(tables.get, layer))
        for chain in outline.chains
        for layer in chain
    ]
    objects += [
        (f"pack {pack.name[:12]}", partial(_check_pack, project_store, pack, steps))
        for pack in outline.packs.values()
    ]
    found: list[str] = []
    for label, check in objects:
        steps.read(0)
        try:
            check()
        except OBJECT_DAMAGE as error:
            found.append(f"{label}: {error.reason}")
    if found:
        others = f", and {len(found) - 1} more of {len(objects)}" if len(found) > 1 else ""
        raise VersionDamaged(found[0] + others)


def _check_pack(project_store: ProjectStore, pack: Pack, steps: "_AuditProgress") -> None:
    key = pack_key(project_store.gid, pack.name)
    if project_store.store.size(key) != pack.length:
        raise ObjectDamaged("it has not the length that it was written with")
    hasher = blake3()
    for offset in range(0, pack.length, _PIECE_SIZE):
        length = min(_PIECE_SIZE, pack.length - offset)
        hasher.update(project_store.store.get(key, offset, length))
        steps.read(length)
    if hasher.hexdigest() != pack.name:
        raise ObjectDamaged("its bytes are not those that were written")


class _AuditProgress:
    """Hashing the packs as three tenths of the work, examining their content as seven."""

    def __init__(self, progress: Progress, outline: Outline) -> None:
        self._progress = progress
        self._total = self._remaining = outline.units
        self._bytes = max(1, sum(pack.length for pack in outline.packs.values()))
        self._read = 0

    def read(self, size: int) -> None:
        """The next `size` bytes of packs are hashed."""
        self._read += size
        self._report(self._total - 3 * self._total * self._read // (10 * self._bytes))

    def examined(self, total: int, remaining: int) -> None:
        """So many of the content's units are still to be examined: see `Engine.examine`."""
        self._report(7 * remaining // 10 + 1 if remaining else 0)

    def _report(self, remaining: int) -> None:
        self._remaining = min(self._remaining, remaining)
        self._progress(self._total, self._remaining)
