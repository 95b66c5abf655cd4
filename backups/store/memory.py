"""An object store in memory, for tests."""

from collections.abc import Iterator

from backups.errors import ObjectDamaged, ObjectMissing
from backups.store.objects import ObjectStore, checked_key


class MemoryStore(ObjectStore):
    """See `ObjectStore`. Knows which objects a power failure would take."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._unflushed: set[str] = set()
        self._deleted: dict[str, bytes] = {}  # since the last flush

    def put(self, key: str, data: bytes | memoryview) -> None:
        """See `ObjectStore.put`."""
        if checked_key(key) not in self._objects:
            self._objects[key] = bytes(data)
            self._unflushed.add(key)
            self._deleted.pop(key, None)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """See `ObjectStore.get`."""
        data = self._object(key)
        end = len(data) if length is None else offset + length
        if offset > len(data) or end > len(data):
            raise ObjectDamaged("an object in the backup storage is shorter than it was")
        return data[offset:end]

    def size(self, key: str) -> int:
        """See `ObjectStore.size`."""
        return len(self._object(key))

    def list(self, prefix: str) -> Iterator[str]:
        """See `ObjectStore.list`."""
        yield from sorted(key for key in self._objects if key.startswith(prefix))

    def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        data = self._objects.pop(checked_key(key), None)
        if data is not None and key not in self._unflushed:
            self._deleted[key] = data
        self._unflushed.discard(key)

    def flush(self) -> None:
        """See `ObjectStore.flush`."""
        self._unflushed.clear()
        self._deleted.clear()

    def lose_unflushed(self) -> None:
        """What a power failure does: what was put is gone, what was deleted is there again."""
        for key in self._unflushed:
            del self._objects[key]
        self._objects |= self._deleted
        self.flush()

    def _object(self, key: str) -> bytes:
        try:
            return self._objects[checked_key(key)]
        except KeyError:
            raise ObjectMissing("an object is missing in the backup storage") from None
