"""All versions that a new one can take from, and how to find what they hold.

The index (see `index`) says where something may be; here the version is read that it names, and
the block's id or the grain's mark decides. When a version that an entry names is not listed any
more, the listed ones next to it are looked at: an entry is made where a content begins to be what
it is, and its neighbours mostly have it too.
"""

import logging
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from backups.errors import StorageError
from backups.store.index import Index, block_key, grain_key
from backups.store.indexing import catch_up, seen_by
from backups.store.lender import Lender, Lent, PacksThere, usable_lender
from backups.store.manifest import Manifest
from backups.store.outline import Outline
from backups.store.project import ProjectStore
from backups.store.shape import Shape

logger = logging.getLogger(__name__)

# Segments that are kept: some 1.2 MB each at the usual sizes.
_KEPT_SEGMENTS = 16
# Versions whose outlines are kept.
_KEPT_VERSIONS = 8
# How many of the newest versions are tried until one can lead.
_MOST_TRIED = 8


class Lenders:
    """The versions with these manifests, as far as they are of this kind.

    `leading` is the one that the new version is compared with first, and whose key its hashes are
    made with: the newest that can be read, or None.
    """

    def __init__(
        self,
        project_store: ProjectStore,
        manifest_keys: Sequence[str],
        engine: str,
        shape: Shape,
        *,
        preferred: str | None = None,
    ) -> None:
        """`preferred`: the manifest key of the version that leads, if it can."""
        self._project_store = project_store
        self._engine = engine
        self._shape = shape
        self._packs_there = PacksThere(project_store)
        self._keys = {project_store.version_of(key): key for key in manifest_keys}
        if preferred is not None:
            self._keys[project_store.version_of(preferred)] = preferred
        self._numbers = sorted(self._keys)
        self._lenders: OrderedDict[int, Lender | None] = OrderedDict()
        self._segments: OrderedDict[tuple[int, int], Lent | None] = OrderedDict()
        self._index: Index | None = None
        self.leading = self._leading(preferred)
        self.fingerprints = project_store.fingerprints(
            self.leading.outline.identifier_key if self.leading else None
        )

    @property
    def index(self) -> Index:
        """The project's index. The first access loads it and adds the versions that it does not
        know, which may take some seconds."""
        if self._index is None:
            cache = self._project_store.index_cache()
            key_id = self.fingerprints.key_id
            self._index = cache.load(key_id, self._shape)
            self._index = catch_up(self._index, self._project_store, self._keys, self._lender)
        return self._index

    def remember(self, manifest_key: str, manifest: Manifest, outline: Outline) -> None:
        """The new version has this manifest and outline: the index was told all of it."""
        if self._index is not None and self._index.changed:
            self._index.seen[manifest.version] = seen_by(manifest_key, manifest, outline)
            self._project_store.index_cache().save(self._index)

    @property
    def are_many(self) -> bool:
        """Whether there are versions beside the one that leads."""
        return len(self._keys) > 1

    def blocks_seen(self, block_id: bytes, own: int) -> list[tuple[int, int]]:
        """In which listed versions, and at which places, that block may be; or in the version in
        the making, whose number is `own`."""
        index = self._index or self.index
        seen = index.find(block_key(block_id))
        return list(self._listed(seen, own)) if seen else seen

    def grains_seen(self, mark: int, place: int) -> Iterator[int]:
        """Which listed versions may have the grain with this mark, as a number, at that place."""
        for version, there in self._listed(self.index.find(grain_key(mark, place)), None):
            if there == place:
                yield version

    def keep(self, lender: Lender, number: int, lent: Lent | None) -> None:
        """Keep a segment that was read."""
        self._segments[lender.manifest.version, number] = lent
        while len(self._segments) > _KEPT_SEGMENTS:
            self._segments.popitem(last=False)

    def is_read(self, version: int, number: int) -> bool:
        """Whether this segment is cached."""
        return (version, number) in self._segments

    def lent(self, version: int, number: int) -> Lent | None:
        """A segment of a listed version; None when it has none or it can't be read."""
        place = (version, number)
        if place in self._segments:
            self._segments.move_to_end(place)
            return self._segments[place]
        lender = self._lender(version)
        lent = None
        try:
            lent = lender.lend(number) if lender else None
        except StorageError as error:
            # Only the version that leads may break a new one off: the others are a saving.
            logger.warning("A part of a version can't be read, it lends nothing: %s", error.reason)
        if lender:
            self.keep(lender, number, lent)
        return lent

    def with_content(self, content_hash: bytes) -> Lender | None:
        """A version with this very content, of those that were looked at."""
        looked_at = [self.leading, *reversed(self._lenders.values())]
        for lender in looked_at:
            if lender is not None and lender.outline.content_hash == content_hash:
                return lender
        return None

    def _listed(self, found: list[tuple[int, int]], own: int | None) -> Iterator[tuple[int, int]]:
        given: set[tuple[int, int]] = set()
        for version, place in found:
            if version in self._keys or version == own:
                nearest = [version]
            else:
                at = bisect_left(self._numbers, version)
                nearest = self._numbers[max(0, at - 1) : at + 1][::-1]
            for number in nearest:
                if (number, place) not in given:
                    given.add((number, place))
                    yield number, place

    def _leading(self, preferred: str | None) -> Lender | None:
        newest = self._numbers[: -_MOST_TRIED - 1 : -1]
        if preferred is not None:
            number = self._project_store.version_of(preferred)
            newest = [number, *(other for other in newest if other != number)]
        for number in newest:
            lender = self._usable(number)
            if lender is not None:
                self._lenders[number] = lender
                return lender
        return None

    def _usable(self, version: int) -> Lender | None:
        return usable_lender(
            self._project_store,
            self._keys[version],
            self._engine,
            self._shape,
            self._packs_there,
        )

    def _lender(self, version: int) -> Lender | None:
        if version in self._lenders:
            self._lenders.move_to_end(version)
            return self._lenders[version]
        lender = None
        try:
            lender = self._usable(version)
        except StorageError as error:
            logger.warning("A version can't be read, it lends nothing: %s", error.reason)
        if lender is not None and lender.outline.identifier_key != self.fingerprints.key_id:
            lender = None
        self._lenders[version] = lender
        while len(self._lenders) > _KEPT_VERSIONS:
            self._lenders.popitem(last=False)
        return lender
