"""The contract of an object store."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_LONGEST_KEY = 512


def checked_key(key: str) -> str:
    """`key`, if it is one: names of letters, digits, "._-", parted by "/", none beginning with
    a dot, at most 512 characters. Raises ValueError."""
    if len(key) > _LONGEST_KEY or not _KEY.fullmatch(key):
        raise ValueError("not an object key")
    return key


class ObjectStore(ABC):
    """Objects by key. An object's bytes never change; the first put of a key wins.

    All may raise StorageUnwritable (no access, a failing disk or network) and, for a bad key,
    ValueError. All may be repeated: a second call does no harm. An object is either there as a
    whole or not at all, whatever process dies in whatever call. Threads may call them at once,
    but not `flush` while others put.
    """

    @abstractmethod
    def put(self, key: str, data: bytes | memoryview) -> None:
        """Store `data` unless `key` exists, which is then left as it is.

        `data` may be another's memory, which is used for something else after the call.
        Readers see it at once; it outlasts a power failure only after `flush`. Raises StorageFull.
        """

    @abstractmethod
    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from `offset` on, or all to the end.

        Raises ObjectMissing, and ObjectDamaged when the object is shorter than asked for.
        """

    @abstractmethod
    def size(self, key: str) -> int:
        """The object's bytes. Raises ObjectMissing."""

    @abstractmethod
    def list(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix` (any text, "" for all), in the order of their text.

        Objects put or deleted while it runs may show up or not.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove the object; nothing happens when there is none."""

    @abstractmethod
    def flush(self) -> None:
        """Return when all that this store object has put, found there or deleted is durable.

        When it raises, anything put since the last flush may be lost by a power failure, and
        anything deleted may be there again.
        """

    def remove_abandoned(self, prefix: str, *, grace: float) -> int:
        """Remove what killed puts left under the folder `prefix`, if older than `grace` seconds.

        Returns how many there were: none in a store in which nothing can be left.
        """
        return 0
