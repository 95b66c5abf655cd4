"""An object store in a local folder."""

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backups.errors import (
    ObjectDamaged,
    ObjectMissing,
    ObjectUnreadable,
    StorageError,
    StorageFull,
    StorageUnwritable,
)
from backups.store.objects import ObjectStore, checked_key

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)


class LocalStore(ObjectStore):
    """Objects as read-only files under a folder; see `ObjectStore`.

    Files are written under another name, which begins with a dot and so is never a key. A killed
    process may leave such a file behind; `remove_abandoned` is for them.
    """

    def __init__(self, root: Path) -> None:
        """Touches nothing yet; the folder is made when first written to."""
        self._root = Path(os.path.abspath(root))
        self._unsynced_folders: set[Path] = set()

    def put(self, key: str, data: bytes | memoryview) -> None:
        """See `ObjectStore.put`."""
        path = self._path(key)
        with _errors_translated():
            # Also when it is there already: its name may not be on disk yet.
            self._unsynced_folders.add(path.parent)
            if path.exists():
                return
            self._make_folder(path.parent)
            _write_whole(path, data)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """See `ObjectStore.get`."""
        with _errors_translated(reading=True), _opened(self._path(key)) as descriptor:
            size = os.fstat(descriptor).st_size
            wanted = max(size - offset, -1) if length is None else length
            if wanted < 0 or offset + wanted > size:
                raise ObjectDamaged("an object in the backup storage is shorter than it was")
            parts = []
            while wanted:
                part = os.pread(descriptor, wanted, offset)
                if not part:
                    raise ObjectDamaged("an object in the backup storage is shorter than it was")
                parts.append(part)
                offset += len(part)
                wanted -= len(part)
            return parts[0] if len(parts) == 1 else b"".join(parts)

    def size(self, key: str) -> int:
        """See `ObjectStore.size`."""
        with _errors_translated(reading=True):
            found = self._path(key).stat()
            if not stat.S_ISREG(found.st_mode):
                raise IsADirectoryError
            return found.st_size

    def list(self, prefix: str) -> Iterator[str]:
        """See `ObjectStore.list`."""
        folder, _, name = prefix.rpartition("/")
        if folder:
            checked_key(folder)
        with _errors_translated(reading=True):
            yield from self._listed(folder, name)

    def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        path = self._path(key)
        with _errors_translated(), suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
            self._unsynced_folders.add(path.parent)

    def flush(self) -> None:
        """See `ObjectStore.flush`. Files were synced when put; their names are synced here."""
        with _errors_translated():
            for folder in sorted(self._unsynced_folders):
                with suppress(FileNotFoundError):  # what was in it has been deleted
                    _sync_folder(folder)
        self._unsynced_folders.clear()

    def check_writable(self) -> None:
        """Raise StorageError when nothing can be written now. Leaves nothing behind."""
        with _errors_translated():
            self._make_folder(self._root)
            probe = self._root / f".probe-{secrets.token_hex(8)}.part"
            try:
                _write_part(probe, b"probe")
            finally:
                with suppress(OSError):
                    os.unlink(probe)

    def remove_abandoned(self, prefix: str, *, grace: float) -> int:
        """See `ObjectStore.remove_abandoned`."""
        removed = 0
        before = time.time() - grace
        with _errors_translated():
            for folder, _, names in os.walk(self._path(prefix)):
                for name in names:
                    path = os.path.join(folder, name)
                    with suppress(FileNotFoundError):  # its put has ended meanwhile
                        if _is_part(name) and os.stat(path).st_mtime < before:
                            os.unlink(path)
                            removed += 1
        return removed

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    def _make_folder(self, folder: Path) -> None:
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for path in reversed(missing):
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
            self._unsynced_folders.update((path, path.parent))

    def _listed(self, folder: str, prefix: str) -> Iterator[str]:
        try:
            with os.scandir(self._root / folder) as entries:
                found = [
                    entry.name + "/" if entry.is_dir() else entry.name
                    for entry in entries
                    if entry.name.startswith(prefix) and not entry.name.startswith(".")
                ]
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in sorted(found):
            key = f"{folder}/{name}" if folder else name
            if name.endswith("/"):
                yield from self._listed(key[:-1], "")
            else:
                yield key


@contextmanager
def _opened(path: Path, flags: int = 0) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_whole(path: Path, data: bytes | memoryview) -> None:
    part = path.with_name(f".{path.name[:64]}-{secrets.token_hex(8)}.part")
    try:
        _write_part(part, data)
        try:
            os.link(part, path)
        except FileExistsError:
            return  # another process was first
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # No hard links here. Keys are made of hashes, so what is replaced would be the same.
            os.rename(part, path)
    finally:
        with suppress(OSError):
            os.unlink(part)


def _write_part(part: Path, data: bytes | memoryview) -> None:
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if os.fstat(descriptor).st_size != len(data):
            raise StorageUnwritable("the backup storage did not keep all that was written")
        os.fchmod(descriptor, 0o400)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_part(name: str) -> bool:
    return name.startswith(".") and name.endswith(".part")


def _sync_folder(folder: Path) -> None:
    with _opened(folder, os.O_DIRECTORY) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _errors_translated(*, reading: bool = False) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _storage_error(error, reading) from error


def _storage_error(error: OSError, reading: bool) -> StorageError:
    if reading and isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return ObjectMissing("an object is missing in the backup storage")
    if reading and error.errno == errno.EIO:
        return ObjectUnreadable("the disk failed to read an object in the backup storage")
    if error.errno in _NO_ROOM:
        return StorageFull("no room is left in the backup storage")
    deed = "read" if reading else "written"
    return StorageUnwritable(f"the backup storage cannot be {deed}: {error.strerror}")
