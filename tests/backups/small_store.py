"""A project whose blocks, frames and packs are tiny, so that little data is hard."""

import random
from collections.abc import Iterator

from backups.pipeline import ProjectStore, Taken, VersionLabel, restore, take
from backups.store.objects import ObjectStore
from backups.store.seal import Keyring

from .engines.memory_engine import MemoryEngine
from .engines.sqlite_files import ignore

KEY, NEW_KEY = bytes(32), bytes(range(32))
BLOCK, FRAME, PACK, SEGMENT = 16, 64, 400, 5  # the last in blocks


class Stop(BaseException):
    """What a cancelled job raises."""


def project_of(
    store: ObjectStore, keyring: Keyring | None = None, *, block_size: int = BLOCK
) -> ProjectStore:
    return ProjectStore(
        store,
        keyring or Keyring.of(KEY),
        "g",
        block_size=block_size,
        frame_size=FRAME,
        pack_size=PACK,
        segment_blocks=SEGMENT,
    )


def version_of(
    project: ProjectStore, data: bytes, version: int = 1, parent: Taken | None = None
) -> Taken:
    return take(
        MemoryEngine(data),
        project,
        VersionLabel(version, f"Backup {version}", "me", 1000.5),
        parent_key=parent.manifest_key if parent else None,
        progress=ignore,
    )


def restored(project: ProjectStore, taken: Taken) -> bytes:
    engine = MemoryEngine()
    restore(engine, project, taken.manifest_key, before_commit=ignore, progress=ignore)
    return engine.data


def random_bytes(length: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(length)


def objects(store: ObjectStore) -> dict[str, bytes]:
    return {key: store.get(key) for key in store.list("")}


def flips(data: bytes) -> Iterator[bytes]:
    # In a large object, of which a hash over all is known, not every byte needs its turn.
    for place in range(0, len(data), 1 + len(data) // 200):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        yield bytes(damaged)
        if place % 16 == 0:
            yield data[:place]
