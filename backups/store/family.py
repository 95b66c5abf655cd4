"""Versions that share packs, told apart from those that do not."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from backups.store.manifest import Manifest
from backups.store.outline import Outline
from backups.store.project import ProjectStore


@dataclass
class Family:
    """Versions that share packs, if need be by way of others, by their manifests' keys; and all
    their packs.

    Families share nothing, whichever version was made from which. What is written anew is kept
    apart too: what damages one family leaves the others alone. As layers are shared only with the
    packs that they name, and packs only between versions of one shape and one identifier key, all
    of a family have these in common.
    """

    manifests: dict[str, Manifest] = field(default_factory=dict)
    packs: set[str] = field(default_factory=set)

    def outlines(self, project_store: ProjectStore) -> Iterator[tuple[Manifest, Outline]]:
        """The outline of each content, with the first manifest that names it, in the order of the
        versions; read anew each time, as all of them together may be large. Raises as
        `ProjectStore.read_outline`."""
        seen: set[str] = set()
        for manifest in sorted(self.manifests.values(), key=lambda manifest: manifest.version):
            if manifest.outline.name not in seen:
                seen.add(manifest.outline.name)
                yield manifest, project_store.read_outline(manifest)


def families_of(
    project_store: ProjectStore, manifest_keys: Iterable[str], step: Callable[[], None]
) -> list[Family]:
    """The families of these versions. Raises as `ProjectStore.read_outline`."""
    families: list[Family] = []
    known: dict[str, set[str]] = {}  # an outline's name -> one of its packs, which tells its family
    for key in manifest_keys:
        step()
        manifest = project_store.read_manifest(key)
        name = manifest.outline.name
        packs = known.get(name)
        if packs is None:
            outline = project_store.read_outline(manifest)
            packs = {pack.name for pack in outline.packs.values()}
            known[name] = set(islice(packs, 1))
        joined = Family({key: manifest}, packs)
        apart = []
        for family in families:
            if family.packs.isdisjoint(joined.packs):
                apart.append(family)
            else:
                joined.manifests |= family.manifests
                joined.packs |= family.packs
        families = [*apart, joined]
    return families
