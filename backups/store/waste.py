"""How much of each pack the versions of a family still need, grain by grain."""

import logging
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass, field

from blake3 import blake3

from backups.errors import (
    OBJECT_UNUSABLE,
    ManifestUnreadable,
)
from backups.store.family import Family
from backups.store.outline import Chain, Outline
from backups.store.packs import Frame, Pack
from backups.store.project import ProjectStore
from backups.store.shape import Shape
from backups.store.tables import Table
from backups.store.walk import Layered, Walk

logger = logging.getLogger(__name__)


@dataclass
class LiveFrame:
    """A frame, and which of its grains are needed: the bit k stands for the grain k."""

    frame: Frame
    grains: int = 0


@dataclass
class LivePack:
    """A pack of which something is needed: its frames by their offsets."""

    pack: Pack
    frames: dict[int, LiveFrame] = field(default_factory=dict)

    def live_bytes(self, grain: int) -> float:
        """How many of the pack's bytes the needed grains take, each its part of its frame."""
        return sum(
            frame.length * min(1.0, grains.bit_count() * grain / frame.raw_length)
            for frame, grains in ((live.frame, live.grains) for live in self.frames.values())
        )


class Waste:
    """Looks at each segment of each content of a family once.

    `packs` has all that the readable versions need; `layers` tells for each layer which packs it
    is needed for, and how it calls them. A version that can't be read keeps all of its packs as
    they are: they are in `kept`, its outline's name is in `unreadable`.
    """

    def __init__(self, project_store: ProjectStore, family: Family) -> None:
        self._project_store = project_store
        self._family = family
        self._walk = Walk(project_store)
        self._seen: set[bytes] = set()
        self.shape = Shape(1, 1, 1)
        self.identifier_key = b""
        self.next_pack = 0
        self.packs: dict[str, LivePack] = {}
        self.layers: dict[Table, dict[int, str]] = {}
        self.kept: set[str] = set()
        self.unreadable: set[str] = set()

    def look(self, step: Callable[[], None]) -> None:
        """Look at the whole family. Raises as `ProjectStore.read_outline`, for outlines only."""
        for manifest, outline in self._family.outlines(self._project_store):
            self.shape, self.identifier_key = outline.shape, outline.identifier_key
            self.next_pack = max(self.next_pack, outline.next_pack)
            try:
                for number in range(len(outline.chains)):
                    step()
                    self._look(outline, number)
            except OBJECT_UNUSABLE as error:
                logger.warning("A version can't be read, its packs stay: %s", error.reason)
                self.kept |= {pack.name for pack in outline.packs.values()}
                self.unreadable.add(manifest.outline.name)

    def wasteful(self, most_waste: float) -> list[str]:
        """The packs of which at least this part is needed by no version; the oldest first."""
        return [
            name
            for name, live in self.packs.items()
            if name not in self.kept
            and live.pack.length - live.live_bytes(self.shape.grain)
            >= most_waste * live.pack.length
        ]

    def _look(self, outline: Outline, number: int) -> None:
        count = outline.shape.grains_in(outline.segment_size(number))
        mark = mark_of(number, outline.chains[number], count)
        if mark in self._seen:
            return
        layered = self._walk.segment(outline, number)
        frames: dict[int, LiveFrame] = {}
        for place, slot, many in layered.segment.used(count):
            live = frames.get(place) or self._frame(outline, layered, place)
            frames[place] = live
            live.grains |= ((1 << many) - 1) << slot
        self._seen.add(mark)

    def _frame(self, outline: Outline, layered: Layered, place: int) -> LiveFrame:
        frame = layered.segment.frames[place]
        pack = outline.packs[frame.pack]
        layer = layered.chain[bisect(layered.frames_so_far, place)]
        called = self.layers.setdefault(layer, {}).setdefault(frame.pack, pack.name)
        found = self.packs.setdefault(pack.name, LivePack(pack))
        live = found.frames.setdefault(frame.offset, LiveFrame(frame))
        if called != pack.name or live.frame[1:] != frame[1:]:
            raise ManifestUnreadable("versions tell different things of the same pack")
        return live


def mark_of(number: int, chain: Chain, count: int) -> bytes:
    """What tells a segment of so many grains with this chain from all others."""
    names = "".join(table.name for table in chain)
    return blake3(f"{number} {count} {names}".encode()).digest(length=16)
