"""What the local store promises beyond the contract: on disk, and when the disk fails."""

import errno
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from backups.errors import ObjectUnreadable, StorageError, StorageFull, StorageUnwritable
from backups.store import local
from backups.store.local import LocalStore

from .killed import forked


class FailingDisk:
    """The os module, but one function fails."""

    def __init__(self, name: str, code: int, *, after: int = 0) -> None:
        self._name = name
        self._code = code
        self._left = after

    def __getattr__(self, name: str) -> Any:
        if name != self._name:
            return getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left >= 0:
                return getattr(os, name)(*arguments, **options)
            raise OSError(self._code, os.strerror(self._code))

        return call


def all_files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_objects_are_private_and_read_only(tmp_path: Path) -> None:
    root = tmp_path / "store"
    store = LocalStore(root)
    store.put("g/packs/ab/abc", b"x")
    assert (root / "g/packs/ab/abc").stat().st_mode & 0o777 == 0o400
    for folder in (root, root / "g", root / "g/packs", root / "g/packs/ab"):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert all_files(root) == ["g/packs/ab/abc"]


def test_flush_syncs_each_folder_with_a_new_name_and_put_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    store = LocalStore(tmp_path / "store")
    store.put("g/packs/ab/abc", b"x")
    assert len(synced) == 1 and synced[0].endswith(".part")
    synced.clear()
    store.flush()
    root = str(tmp_path / "store")
    assert set(synced) == {
        str(tmp_path), root, f"{root}/g", f"{root}/g/packs", f"{root}/g/packs/ab",
    }  # fmt: skip
    synced.clear()
    store.flush()
    assert synced == []
    # found there: perhaps put by a process that died before its flush
    LocalStore(tmp_path / "store").put("g/packs/ab/abc", b"x")
    again = LocalStore(tmp_path / "store")
    again.put("g/packs/ab/abc", b"x")
    again.flush()
    assert synced == [f"{root}/g/packs/ab"]


@pytest.mark.parametrize("function", ["write", "open", "fsync", "fchmod", "link"])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EACCES, StorageUnwritable),
        (errno.EROFS, StorageUnwritable),
        (errno.EIO, StorageUnwritable),
    ],
)
def test_a_failing_disk_leaves_nothing_half_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    code: int,
    error: type[StorageError],
) -> None:
    store = LocalStore(tmp_path)
    store.put("g/a", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(local, "os", FailingDisk(function, code))
        with pytest.raises(error) as caught:
            store.put("g/b", b"new")
    assert str(tmp_path) not in caught.value.reason
    assert all_files(tmp_path) == ["g/a"]
    store.put("g/b", b"new")
    assert store.get("g/b") == b"new"


def test_a_flush_that_failed_is_done_again_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path)
    store.put("g/a", b"x")
    with monkeypatch.context() as patch:
        patch.setattr(local, "os", FailingDisk("fsync", errno.EIO, after=1))
        with pytest.raises(StorageUnwritable):
            store.flush()
    with monkeypatch.context() as patch:
        patch.setattr(local, "os", FailingDisk("fsync", errno.EIO))
        with pytest.raises(StorageUnwritable):
            store.flush()
    store.flush()


def test_an_object_that_the_disk_cannot_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path)
    store.put("g/a", b"x")
    monkeypatch.setattr(local, "os", FailingDisk("pread", errno.EIO))
    with pytest.raises(ObjectUnreadable):
        store.get("g/a")


def test_a_disk_that_is_really_full_is_told(tmp_path: Path) -> None:
    """No file may grow beyond a limit here, which the kernel itself keeps up."""
    store = LocalStore(tmp_path)

    def put_too_much() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        store.put("g/small", bytes(900))
        try:
            store.put("g/large", bytes(2000))
        except StorageFull:
            return 17
        return 1

    assert forked(put_too_much) == 17
    assert all_files(tmp_path) == ["g/small"]


def test_file_systems_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(local, "os", FailingDisk("link", errno.EPERM))
        store.put("g/a", b"x")
    assert store.get("g/a") == b"x"
    assert all_files(tmp_path) == ["g/a"]


def test_what_another_process_puts_at_the_same_moment_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path)
    real = os.link

    def link(part: str, path: str) -> None:
        Path(path).write_bytes(b"theirs")
        real(part, path)

    monkeypatch.setattr(os, "link", link)
    store.put("a", b"ours")
    assert store.get("a") == b"theirs"
    assert all_files(tmp_path) == ["a"]


def test_check_writable_tells_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path / "new")
    store.check_writable()
    assert list((tmp_path / "new").iterdir()) == []
    for function, code, error in (
        ("open", errno.EROFS, StorageUnwritable),
        ("write", errno.ENOSPC, StorageFull),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(local, "os", FailingDisk(function, code))
            with pytest.raises(error):
                store.check_writable()
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnwritable):
        LocalStore(tmp_path / "file" / "store").check_writable()
    assert list((tmp_path / "new").iterdir()) == []


def test_what_a_killed_put_left_is_no_object_and_can_be_removed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("g/packs/ab/abc", b"x")
    left = tmp_path / "g" / "packs" / "ab" / ".abd-0011223344556677.part"
    left.write_bytes(b"half")
    assert list(store.list("")) == ["g/packs/ab/abc"]
    assert store.remove_abandoned("g", grace=3600) == 0
    os.utime(left, (0, 0))
    assert store.remove_abandoned("g", grace=3600) == 1
    assert store.remove_abandoned("g", grace=0) == 0
    assert all_files(tmp_path) == ["g/packs/ab/abc"]
