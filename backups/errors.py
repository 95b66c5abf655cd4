"""What can go wrong with a backup or a restore, told apart by whose fault it is.

A failing source (the project's database) ends one job; a failing storage concerns them all.
"""


class BackupsError(Exception):
    """A failure with a reason that a user may read: no secrets, no paths of the machine."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SourceError(BackupsError):
    """The project's database could not be read or written."""


class DatabaseMissing(SourceError):
    """There is no database at the project's address."""


class DatabaseBusy(SourceError):
    """Somebody else held the database for longer than the lock wait."""


class NotADatabase(SourceError):
    """What stands at the address is no database of this engine."""


class DatabaseDamaged(SourceError):
    """The database's own structure is broken."""


class DatabaseUnreachable(SourceError):
    """The database could not be opened, read or written: permissions, a failing disk."""


class DatabaseFull(SourceError):
    """No room is left where the database, or a copy that is needed beside it, lives."""


class EncodingDiffers(SourceError):
    """The version's text encoding is not the live database's."""


class EngineDiffers(SourceError):
    """The version was taken from another kind of database."""


class StorageError(BackupsError):
    """The backup storage could not be read or written."""


class StorageFull(StorageError):
    """No room is left in the backup storage."""


class StorageUnwritable(StorageError):
    """The backup storage refuses to be written or read: permissions, read-only, a failing disk."""


class ObjectMissing(StorageError):
    """An object that should be in the storage is not there."""


class ObjectDamaged(StorageError):
    """An object in the storage is not what was written."""


class ObjectUnreadable(StorageError):
    """The disk failed to read an object. That is no damage of it: it may be read in an hour."""


class KeyUnknown(StorageError):
    """An object is sealed with a key that is not among the keys given."""


class ManifestUnreadable(StorageError):
    """A version's manifest is damaged, or of a format that this code does not know."""


OBJECT_DAMAGE = (ObjectMissing, ObjectDamaged, ManifestUnreadable, KeyUnknown)
"""What is wrong with stored objects themselves. Any other StorageError is about the storage as a
whole, or passes."""

OBJECT_UNUSABLE = (*OBJECT_DAMAGE, ObjectUnreadable)
"""Why nothing can be made of an object now, for those who can do without it."""


class SafetyNotKept(BackupsError):
    """What a restore would write over can't be kept as a version first."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"what the database holds now can't be kept as a version first: {reason}; nothing was"
            " changed. With safety: false (--no-safety) the restore goes on without one, and what"
            " the database holds now is lost"
        )


class VersionDamaged(BackupsError):
    """What is stored of a version is not what was backed up, or can't be had."""


class JobNotStarted(BackupsError):
    """It is plain before a job is recorded that it can't succeed.

    `process`: backup, restore, verify, clone, import or download.
    """

    def __init__(self, process: str, reason: str) -> None:
        super().__init__(reason)
        self.process = process


class RangeNotSatisfiable(BackupsError):
    """The range asked for begins behind the end of a content of `size` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the version has {size} bytes")
        self.size = size


class VersionUnknown(BackupsError):
    """The project has no version of this number that can be restored."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version} does not exist")
        self.version = version
