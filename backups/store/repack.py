"""What is left of packs of much waste, written anew, and the versions that need it with them."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from backups.errors import ManifestUnreadable, StorageError
from backups.store.family import Family
from backups.store.likeness import OTHERWISE, Likeness
from backups.store.manifest import Manifest
from backups.store.moves import Moves
from backups.store.outline import Chain, Outline
from backups.store.press import Press
from backups.store.project import ProjectStore
from backups.store.tables import Table
from backups.store.waste import Waste

logger = logging.getLogger(__name__)

# About what a manifest takes.
_MANIFEST_SIZE = 256


@dataclass(frozen=True)
class Worth:
    """When packs are worth to be written anew.

    `waste`: the part of a pack that no version needs. From half on, what is written is no more
    than what comes back; and the packs of a project never take more than twice what its versions
    need. `gain`: how many times the bytes of the tables that must be written for it come back.
    """

    waste: float = 0.5
    gain: float = 1.0


@dataclass(frozen=True)
class Repacked:
    """`manifest_keys`: for each version that was written anew its manifest's old key, and the new
    one. `written`: bytes of all that was put for it."""

    manifest_keys: Mapping[str, str]
    written: int


def repack(
    project_store: ProjectStore,
    family: Family,
    step: Callable[[], None],
    *,
    worth: Worth,
) -> Repacked | None:
    """Write a family's packs of much waste anew, without the waste, and all that tells of them.

    When it returns, the new objects are durable, were read back, and tell the same as the old
    ones, which are all still there: whoever lists the versions may name either. None when it isn't
    worth it. Nothing of it stays when this raises: StorageError, or what `step` raised, which is
    called often.
    """
    waste = Waste(project_store, family)
    waste.look(step)
    names = waste.wasteful(worth.waste)
    if not names or _gain(waste, names) < worth.gain * _cost(project_store, family, waste, names):
        return None
    with project_store.press() as press:
        work = _Repack(project_store, press, family, waste, step)
        try:
            return work.done(names)
        except BaseException:
            work.abort()
            raise


def _gain(waste: Waste, names: Iterable[str]) -> float:
    """How many bytes come back when these packs are written anew."""
    found = [waste.packs[name] for name in names]
    return sum(live.pack.length - live.live_bytes(waste.shape.grain) for live in found)


def _cost(
    project_store: ProjectStore, family: Family, waste: Waste, names: Collection[str]
) -> float:
    """How many bytes of tables and manifests tell of these packs."""
    wanted = set(names)
    touched = {
        table for table, packs in waste.layers.items() if not wanted.isdisjoint(packs.values())
    }
    cost = sum(table.length for table in touched)
    versions = Counter(manifest.outline for manifest in family.manifests.values())
    for manifest, outline in family.outlines(project_store):
        if any(not touched.isdisjoint(chain) for chain in outline.chains):
            cost += manifest.outline.length + versions[manifest.outline] * _MANIFEST_SIZE
    return cost


class _Repack:
    """One family's new packs, layers, outlines and manifests."""

    def __init__(
        self,
        project_store: ProjectStore,
        press: Press,
        family: Family,
        waste: Waste,
        step: Callable[[], None],
    ) -> None:
        self._project_store = project_store
        self._press = press
        self._family = family
        self._waste = waste
        self._step = step
        self._moves = Moves(project_store, press, waste)
        self._tables = project_store.tables()
        self._layers: dict[Table, Table] = {}
        self._outlines: dict[Table, Table] = {}
        self._manifest_keys: dict[str, str] = {}
        self._written = 0

    def done(self, names: list[str]) -> Repacked | None:
        """See `repack`."""
        self._moves.gather(names, self._step)
        if not self._moves.left:
            self._moves.abort()
            return None
        self._project_store.store.flush()
        self._likeness = Likeness(self._project_store, self._press, self._waste, self._moves)
        for pack in self._moves.new_packs.values():
            self._step()
            self._likeness.check_pack(pack)
            self._written += pack.length
        for manifest, outline in self._family.outlines(self._project_store):
            if manifest.outline.name not in self._waste.unreadable:
                self._put_outline(manifest, outline)
        self._written += sum(table.length for table in self._tables.new)
        # A manifest must never be on disk without its packs and tables.
        self._project_store.store.flush()
        self._put_manifests()
        self._project_store.store.flush()
        return Repacked(self._manifest_keys, self._written)

    def abort(self) -> None:
        """Remove what was put. The failure that led here is what counts."""
        for step in (self._delete_manifests, self._tables.abort, self._moves.abort):
            try:
                step()
            except StorageError:
                logger.exception("What was written anew could not be removed")

    def _put_outline(self, manifest: Manifest, outline: Outline) -> None:
        chains = tuple(tuple(map(self._layer, chain)) for chain in outline.chains)
        if chains == outline.chains:
            return
        new = self._repacked(outline, chains)
        table = self._tables.put(self._project_store.sealed_outline(new))
        if self._project_store.read_outline(replace(manifest, outline=table)) != new:
            raise ManifestUnreadable(OTHERWISE)
        self._outlines[manifest.outline] = table

    def _repacked(self, outline: Outline, chains: tuple[Chain, ...]) -> Outline:
        stay = {
            number: pack
            for number, pack in outline.packs.items()
            if pack.name not in self._moves.left
        }
        new_packs = self._moves.new_packs
        new = replace(
            outline, chains=chains, packs={**stay, **new_packs}, next_pack=self._moves.next_pack
        )
        used: set[int] = set()
        for number, chain in enumerate(chains):
            self._step()
            if chain != outline.chains[number]:
                used |= self._likeness.check_segment(outline, new, number)
        # As a version made today would list them: or one that changes nothing would seem to differ.
        return replace(
            new, packs={**stay, **{number: new_packs[number] for number in sorted(used)}}
        )

    def _layer(self, table: Table) -> Table:
        """The layer that tells the same without naming a pack that is left."""
        packs = self._waste.layers.get(table, {})
        if self._moves.left.isdisjoint(packs.values()):
            return table
        if table not in self._layers:
            self._step()
            layer = self._project_store.read_layer(table, self._waste.shape)
            moved = self._moves.moved(layer, packs)
            new = self._tables.put(self._project_store.sealed_layer(moved))
            self._likeness.check_layer(layer, new, packs, self._step)
            self._layers[table] = new
        return self._layers[table]

    def _put_manifests(self) -> None:
        store = self._project_store.store
        for key, manifest in self._family.manifests.items():
            outline = self._outlines.get(manifest.outline)
            if outline is None:
                continue
            self._step()
            new = replace(manifest, outline=outline)
            new_key, sealed = self._project_store.sealed_manifest(new)
            self._manifest_keys[key] = new_key  # before the put, which may be broken off
            store.put(new_key, sealed)
            self._written += len(sealed)
            if self._project_store.read_manifest(new_key) != new:
                raise ManifestUnreadable(OTHERWISE)

    def _delete_manifests(self) -> None:
        for key in self._manifest_keys.values():
            self._project_store.store.delete(key)
