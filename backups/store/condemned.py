"""What a sweep found to be of no use, and a later one may delete.

The object's key is `<gid>/condemned/<time, 15 digits>-<hash>`: the time in milliseconds since the
epoch, hash being the first 32 hex digits of the BLAKE3 hash of the object's bytes. The object is a
record (see `records`) of format "savepoint-condemned", sealed with purpose "condemned":

    condemned_on   the same time
    keys           the keys of the objects, as texts

So nobody has to know when an object was written, which not every store tells.
"""

import logging
import re
from dataclasses import dataclass

from blake3 import blake3

from backups.errors import (
    OBJECT_UNUSABLE,
    ObjectDamaged,
)
from backups.store.objects import ObjectStore
from backups.store.records import opened_record, sealed_record
from backups.store.seal import Seal

logger = logging.getLogger(__name__)

FORMAT = "savepoint-condemned"
_PURPOSE = "condemned"
_NAME = re.compile(r"\d{15,}-([0-9a-f]{32})")
_HASH_DIGITS = 32


@dataclass(frozen=True)
class Condemned:
    """Keys that nothing needed at a time, in milliseconds since the epoch."""

    condemned_on: int
    keys: tuple[str, ...]


def prefix_of(gid: str) -> str:
    """With what the keys of a project's records begin."""
    return f"{gid}/condemned/"


def put(store: ObjectStore, seal: Seal, gid: str, condemned: Condemned) -> str:
    """Store a record; returns its key. Raises StorageError."""
    fields = {"condemned_on": condemned.condemned_on, "keys": list(condemned.keys)}
    sealed = sealed_record(FORMAT, fields, seal, _PURPOSE)
    digest = blake3(sealed).hexdigest()[:_HASH_DIGITS]
    key = f"{prefix_of(gid)}{condemned.condemned_on:015d}-{digest}"
    store.put(key, sealed)
    return key


def read(store: ObjectStore, seal: Seal, key: str) -> Condemned | None:
    """The record with this key; None for one that can't be read, whatever it named.

    Nothing is lost with it: what nothing needs is condemned anew.
    """
    try:
        sealed = store.get(key)
        name = _NAME.fullmatch(key.rpartition("/")[2])
        if name is None or blake3(sealed).hexdigest()[:_HASH_DIGITS] != name[1]:
            raise ObjectDamaged("an object in the backup storage is damaged")
        fields = opened_record(FORMAT, sealed, seal, _PURPOSE)
        return Condemned(fields.number("condemned_on"), tuple(fields.texts("keys")))
    except OBJECT_UNUSABLE as error:
        logger.warning("What a sweep noted is of no use, it is noted anew: %s", error.reason)
        return None
