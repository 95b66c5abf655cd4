"""Objects that versions share to find their bytes: outlines and layers.

A table's name is the BLAKE3 hash of its sealed bytes in hex, its key
`<gid>/tables/<first two digits>/<name>`. As sealing is random no two are ever the same: a table
is shared only because a version names one that a listed version names, never because it was found
in the store. So whoever has put one may delete it again as long as no manifest names it.
"""

from typing import NamedTuple

from blake3 import blake3

from backups.errors import ManifestUnreadable, ObjectMissing
from backups.store.objects import ObjectStore

NAME_SIZE = 32


class Table(NamedTuple):
    """An outline's or a layer's object."""

    name: str
    length: int


def table_key(gid: str, name: str) -> str:
    """The object key of a table."""
    return f"{gid}/tables/{name[:2]}/{name}"


class Tables:
    """The tables of one project; remembers those that it has put."""

    def __init__(self, store: ObjectStore, gid: str) -> None:
        self._store = store
        self._gid = gid
        self._put_keys: list[str] = []
        self.new: list[Table] = []

    def put(self, sealed: bytes) -> Table:
        """Store a table. Raises StorageError."""
        table = Table(blake3(sealed).hexdigest(), len(sealed))
        key = table_key(self._gid, table.name)
        self._put_keys.append(key)  # before the put, which may be broken off
        self._store.put(key, sealed)
        self.new.append(table)
        return table

    def get(self, table: Table) -> bytes:
        """A table's bytes. Raises ObjectMissing, and ManifestUnreadable for damaged ones."""
        try:
            sealed = self._store.get(table_key(self._gid, table.name))
        except ObjectMissing as error:
            raise ObjectMissing("a table of the version is missing") from error
        if len(sealed) != table.length or blake3(sealed).hexdigest() != table.name:
            raise ManifestUnreadable("a table of the version is damaged")
        return sealed

    def abort(self) -> None:
        """Delete what was put. Raises StorageError."""
        while self._put_keys:
            self._store.delete(self._put_keys[-1])
            self._put_keys.pop()
