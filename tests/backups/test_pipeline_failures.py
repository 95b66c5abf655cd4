"""A version that fails on its way leaves nothing, and says how far it is until then."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from backups.engines.interface import Content
from backups.errors import (
    ObjectDamaged,
    SourceError,
    StorageFull,
)
from backups.pipeline import VersionLabel, restore, take
from backups.store.memory import MemoryStore

from .engines.memory_engine import BytesSnapshot, MemoryEngine
from .engines.sqlite_files import (
    ignore,
)
from .small_store import BLOCK, Stop, objects, project_of, random_bytes, restored, version_of


def test_no_thread_outlives_a_version_or_its_failure() -> None:
    def stop(total: int, remaining: int) -> None:
        if remaining < total // 2:
            raise Stop

    before = threading.active_count()
    project = project_of(MemoryStore())
    data = random_bytes(3000)
    label = VersionLabel(1, "a", "me", 0)
    with pytest.raises(Stop):
        take(MemoryEngine(data), project, label, parent_key=None, progress=stop)
    assert threading.active_count() == before
    taken = version_of(project, data)
    assert restored(project, taken) == data
    assert threading.active_count() == before

    class Refuses(MemoryEngine):
        def restore(self, content: Content, **_: object) -> None:
            next(iter(content.blocks()))
            raise Stop

    with pytest.raises(Stop):
        restore(Refuses(), project, taken.manifest_key, before_commit=ignore, progress=ignore)
    assert threading.active_count() == before


def test_progress_never_rises_and_ends_at_0_after_the_read_back() -> None:
    seen: list[tuple[int, int]] = []
    reads_at_end: list[int] = []

    class Counting(MemoryStore):
        reads = 0

        def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
            self.reads += 1
            return super().get(key, offset, length)

    store = Counting()

    def progress(total: int, remaining: int) -> None:
        seen.append((total, remaining))
        if remaining == 0:
            reads_at_end.append(store.reads)

    label = VersionLabel(1, "a", "me", 0)
    taken = take(
        MemoryEngine(bytes(800)), project_of(store), label, parent_key=None, progress=progress
    )
    remaining = [step[1] for step in seen]
    assert {total for total, _ in seen} == {200}
    assert remaining == sorted(remaining, reverse=True)
    assert remaining[-2:] == [1, 0] and len(seen) == 800 // BLOCK + 1
    assert reads_at_end == [store.reads]

    seen.clear()
    take(MemoryEngine(), project_of(store), label, parent_key=taken.manifest_key, progress=progress)
    assert seen == [(0, 0)]


def test_the_packs_are_durable_before_there_is_a_manifest_and_all_is_in_the_end() -> None:
    durable_at_manifest: list[bool] = []

    class Watched(MemoryStore):
        def put(self, key: str, data: bytes | memoryview) -> None:
            if "/manifests/" in key:
                durable_at_manifest.append(not self._unflushed)
            super().put(key, data)

    store = Watched()
    project = project_of(store)
    taken = version_of(project, random_bytes(3000))
    store.lose_unflushed()
    assert durable_at_manifest == [True]
    assert restored(project, taken) == random_bytes(3000)


class Faulty(MemoryStore):
    """Raises at the n-th call of any verb; delete works."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error
        self.left = -1

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error

    def put(self, key: str, data: bytes | memoryview) -> None:
        self._step()
        super().put(key, data)
        self._step()

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        self._step()
        return super().get(key, offset, length)

    def size(self, key: str) -> int:
        self._step()
        return super().size(key)

    def flush(self) -> None:
        self._step()
        super().flush()


@pytest.mark.parametrize("error", [StorageFull("full"), Stop()], ids=["full", "stopped"])
def test_a_storage_that_fails_at_any_step_keeps_nothing_of_the_new_version(
    error: BaseException,
) -> None:
    store = Faulty(error)
    project = project_of(store)
    data = random_bytes(1500)
    parent = version_of(project, data)
    before = objects(store)
    changed = data[:500] + random_bytes(1200, seed=3)
    steps = 0
    while True:
        steps += 1
        store.left = steps
        try:
            taken = version_of(project, changed, 2, parent)
        except type(error):
            store.left = -1
            assert objects(store) == before
        else:
            break
    store.left = -1
    assert steps > 12
    assert restored(project, taken) == changed


def test_whatever_progress_raises_is_passed_on_with_nothing_kept() -> None:
    store = MemoryStore()
    project = project_of(store)
    data = random_bytes(600)
    steps = 0
    finished = False
    while not finished:
        steps += 1
        left = steps

        def progress(total: int, remaining: int) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Stop

        label = VersionLabel(1, "a", "me", 0)
        try:
            take(MemoryEngine(data), project, label, parent_key=None, progress=progress)
            finished = True
        except Stop:
            assert objects(store) == {}
    assert steps == 600 // BLOCK + 3  # one more block, cut short; the end; and none left


def test_a_failing_clean_up_does_not_hide_why_it_was_needed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Sticky(Faulty):
        def delete(self, key: str) -> None:
            raise ObjectDamaged("sticks")

    store = Sticky(StorageFull("full"))
    store.left = 8
    with pytest.raises(StorageFull):
        version_of(project_of(store), random_bytes(3000))
    assert "could not be removed" in caplog.text


def test_a_source_that_fails_half_way_keeps_nothing() -> None:
    class BreaksOff(BytesSnapshot):
        def blocks(self, block_size: int) -> Iterator[bytes]:
            yield from list(super().blocks(block_size))[:20]
            raise SourceError("gone")

    class Breaks(MemoryEngine):
        @contextmanager
        def snapshot(self, *, keep_damaged: bool = False) -> Iterator[BytesSnapshot]:
            yield BreaksOff(self.data)

    store = MemoryStore()
    with pytest.raises(SourceError):
        take(
            Breaks(random_bytes(4000)),
            project_of(store),
            VersionLabel(1, "a", "me", 0),
            parent_key=None,
            progress=ignore,
        )
    assert objects(store) == {}
