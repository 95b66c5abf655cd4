"""The segments of many versions, read one after the other."""

from collections import OrderedDict
from typing import NamedTuple

from backups.errors import ManifestUnreadable
from backups.store.outline import Chain, Outline
from backups.store.project import ProjectStore
from backups.store.segment import Segment

# Segments that are kept to go on from: 1.2 MB each at the usual sizes.
_KEPT = 16


class Layered(NamedTuple):
    """A segment's state, and how many frames its first layers have together, layer by layer."""

    chain: Chain
    segment: Segment
    frames_so_far: list[int]


class Walk:
    """Reads the segments of versions, best in the order in which they were made.

    A version's chain mostly goes on from that of the version before: then only what is new is
    read. A state is good until the same segment of another version is asked for.
    """

    def __init__(self, project_store: ProjectStore) -> None:
        self._project_store = project_store
        self._kept: OrderedDict[int, Layered] = OrderedDict()

    def segment(self, outline: Outline, number: int) -> Layered:
        """What the layers of a segment tell together. Raises as `ProjectStore.read_outline`."""
        shape, chain = outline.shape, outline.chains[number]
        kept = self._kept.pop(number, None)
        if kept is None or chain[: len(kept.chain)] != kept.chain:
            kept = Layered((), Segment(shape), [])
        _, segment, frames_so_far = kept
        for table in chain[len(kept.chain) :]:
            segment.apply(self._project_store.read_layer(table, shape))
            frames_so_far.append(len(segment.frames))
        grains = shape.grains_in(outline.segment_size(number))
        segment.check_whole(grains)
        if not {frame.pack for frame in segment.frames_used(grains)} <= outline.packs.keys():
            raise ManifestUnreadable("the version names a pack that it does not list")
        layered = Layered(chain, segment, frames_so_far)
        self._kept[number] = layered
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return layered
