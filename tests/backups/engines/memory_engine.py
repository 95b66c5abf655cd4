"""A database that is only some bytes, to test what is made of an engine's blocks."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from backups.engines.interface import Content, Progress, Snapshot
from backups.errors import DatabaseDamaged
from backups.facts import Findings


class BytesSnapshot:
    """See `backups.engines.interface.Snapshot`."""

    engine = "memory"
    unit = "pieces"
    unit_size = 4
    is_examined = False

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.units = len(data) // 4
        self.size = len(data)
        self.facts: dict[str, Any] = {"length": len(data)}
        self.tools: dict[str, str] = {}

    def blocks(self, block_size: int) -> Iterator[bytes]:
        for start in range(0, self.size, block_size):
            yield self._data[start : start + block_size]

    def begin_facts(self) -> None:
        return

    def release(self) -> None:
        return


class MemoryEngine:
    """See `backups.engines.interface.Engine`."""

    name = "memory"

    def __init__(self, data: bytes = b"") -> None:
        self.data = data

    def state(self) -> str:
        return ""

    @contextmanager
    def snapshot(self, *, keep_damaged: bool = False) -> Iterator[BytesSnapshot]:
        yield BytesSnapshot(self.data)

    def check(self, tick: Callable[[], None]) -> None:
        tick()

    def restore(
        self,
        content: Content,
        *,
        keep: Callable[[Snapshot], None] | None = None,
        before_commit: Callable[[str], None],
        progress: Progress,
    ) -> None:
        if keep is not None:
            keep(BytesSnapshot(self.data))
        data = b"".join(content.blocks())
        assert len(data) == content.size == content.units * content.unit_size
        progress(content.units, 0)
        before_commit("memory")
        self.data = data

    def examine(
        self, content: Content, *, facts: Mapping[str, Any], progress: Progress
    ) -> Findings:
        length = 0
        for block in content.blocks():
            length += len(block)
            progress(content.units, max(1, content.units - length // content.unit_size))
        if length != facts["length"]:
            raise DatabaseDamaged(f"the content has {length} bytes, not {facts['length']}")
        progress(content.units, 0)
        return Findings()
