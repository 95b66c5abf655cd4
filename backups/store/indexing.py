"""Brings the index up to date, from the layers of versions that it does not know yet."""

import logging
from collections.abc import Callable, Mapping

from blake3 import blake3

from backups.errors import StorageError
from backups.store.index import Index, Seen, block_entries, grain_entries, mark_mask
from backups.store.lender import Lender
from backups.store.manifest import Manifest
from backups.store.outline import Outline
from backups.store.project import ProjectStore
from backups.store.segment import Segment
from backups.store.walk import Walk

logger = logging.getLogger(__name__)

# At most so much is read for one new version, however much is unknown: a few seconds of work, for
# which an application's writers wait when it is a restore's safety version.
MOST_SEGMENTS = 256
MOST_VERSIONS = 256
_SEEN_SIZE = 8
_NOTHING = bytes(_SEEN_SIZE)


def seen_by(manifest_key: str, manifest: Manifest, outline: Outline) -> Seen:
    """What the index recognises a version by."""
    return Seen(
        _short(manifest_key),
        bytes.fromhex(manifest.outline.name)[:_SEEN_SIZE],
        outline.content_hash[:_SEEN_SIZE],
    )


def tell(
    index: Index,
    version: int,
    outline_size: int,
    number: int,
    segment: Segment,
    grains: int,
    other: Segment | None,
) -> None:
    """Add to the index what a version's segment has that the other one lacks at the same place.

    `outline_size`: bytes of the whole content, by which it is chosen which marks are kept.
    """
    shape = index.shape
    blocks = -(-grains // shape.grains)
    index.add_all(
        version,
        block_entries(
            segment.block_ids(0, blocks),
            number * shape.segment_blocks,
            other.block_ids(0, blocks) if other else b"",
        ),
    )
    if shape.marked:
        index.add_all(
            version,
            grain_entries(
                segment.marks(0, grains),
                number * shape.segment_blocks * shape.grains,
                mark_mask(shape.grains_in(outline_size)),
                other.marks(0, grains) if other else b"",
            ),
        )


def catch_up(
    index: Index,
    project_store: ProjectStore,
    listed: Mapping[int, str],
    lender_of: Callable[[int], Lender | None],
) -> Index:
    """The index, or a new one, with the listed versions added that it did not know, the newest
    first; if there are many, some are left for the next time.

    `listed`: the manifests' keys. `lender_of` gives a version if it can be compared with the new
    one. What can't be read is left out.
    """
    for version in index.seen.keys() - listed.keys():
        index.forget(version)
    if index.is_outworn():
        index = Index(index.identifier_key, index.shape)
    known = sorted(index.seen)
    new = _unknown(index, project_store, listed, lender_of)
    if new:
        before = max((version for version in known if version < min(new)), default=None)
        lender = lender_of(before) if before is not None else None
        _tell_all(index, project_store, new, lender.outline if lender else None)
    return index


def _unknown(
    index: Index,
    project_store: ProjectStore,
    listed: Mapping[int, str],
    lender_of: Callable[[int], Lender | None],
) -> dict[int, Outline]:
    """The outlines of the versions to be added. Notes all of them as known to the index."""
    by_outline = {seen.outline: seen for seen in index.seen.values() if seen.content != _NOTHING}
    new: dict[int, Outline] = {}
    left = MOST_SEGMENTS
    for version in sorted(listed, reverse=True):
        key = listed[version]
        seen = index.seen.get(version)
        if seen is not None and seen.manifest == _short(key):
            continue
        if left <= 0 or len(new) >= MOST_VERSIONS:
            break
        index.changed = True
        try:
            manifest = project_store.read_manifest(key)
        except StorageError as error:
            logger.info("A version is not in the index: %s", error.reason)
            index.seen[version] = Seen(_short(key), _NOTHING, _NOTHING)
            continue
        alike = by_outline.get(bytes.fromhex(manifest.outline.name)[:_SEEN_SIZE])
        lender = None if alike else lender_of(version)
        if alike is not None:
            index.seen[version] = alike._replace(manifest=_short(key))
        elif lender is None:
            index.seen[version] = Seen(_short(key), _NOTHING, _NOTHING)
        else:
            now = seen_by(key, manifest, lender.outline)
            # One that a sweep has written anew holds what it held.
            if seen is None or seen.content != now.content:
                new[version] = lender.outline
                left -= max(1, len(lender.outline.chains))
            index.seen[version] = by_outline[now.outline] = now
    return new


def _tell_all(
    index: Index, project_store: ProjectStore, new: Mapping[int, Outline], before: Outline | None
) -> None:
    walk = Walk(project_store)
    for number in range(max(len(outline.chains) for outline in new.values())):
        other = _read(walk, before, number) if before else None
        for version in sorted(new):
            outline = new[version]
            segment = _read(walk, outline, number)
            if segment is not None:
                grains = outline.shape.grains_in(outline.segment_size(number))
                tell(index, version, outline.size, number, segment, grains, other)
                # The walk goes on with the segment itself.
                other = segment.copy()


def _read(walk: Walk, outline: Outline, number: int) -> Segment | None:
    if number >= len(outline.chains):
        return None
    try:
        return walk.segment(outline, number).segment
    except StorageError as error:
        logger.info("A part of a version is not in the index: %s", error.reason)
        return None


def _short(manifest_key: str) -> bytes:
    return blake3(manifest_key.encode()).digest(length=_SEEN_SIZE)
