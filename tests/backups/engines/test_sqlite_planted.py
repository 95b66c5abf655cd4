"""What somebody who may write a database's folder can't have Savepoint do."""

import ctypes
import os
import sqlite3
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backups.engines.fence import fenced, fences
from backups.engines.sqlite import SqliteEngine
from backups.errors import SourceError

from .sqlite_files import PagesContent, ignore, make_database, pages_of

JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
_AT_CWD, _EXCHANGE = -100, 2
SECONDS = float(os.environ.get("RACE_SECONDS", "3"))


def journal_naming(path: Path, other: Path) -> bytes:
    """A hot journal of the database at `path` that changes nothing, and names a super-journal."""
    pages = path.stat().st_size // 4096
    head = JOURNAL_MAGIC + struct.pack(">IIIII", 0, 0, pages, 512, 4096)
    name = os.fsencode(other)
    lock_page = (1 << 30) // 4096 + 1
    checksum = sum(name)
    return (
        head.ljust(512, b"\0")
        + struct.pack(">I", lock_page)
        + name
        + struct.pack(">II", len(name), checksum)
        + JOURNAL_MAGIC
    )


def journal_of(path: Path) -> bytes:
    """A hot journal that holds the second page of the database at `path`."""
    data = path.read_bytes()
    head = JOURNAL_MAGIC + struct.pack(">IIIII", 1, 0, len(data) // 4096, 512, 4096)
    page = data[4096:8192]
    checksum = sum(page[at] for at in range(4096 - 200, 0, -200))
    return head.ljust(512, b"\0") + struct.pack(">I", 2) + page + struct.pack(">I", checksum)


def exchange(one: Path, other: Path) -> None:
    call = ctypes.CDLL(None, use_errno=True).renameat2
    if call(_AT_CWD, os.fsencode(one), _AT_CWD, os.fsencode(other), _EXCHANGE):
        raise OSError(ctypes.get_errno(), "renameat2")


@contextmanager
def exchanging(one: Path, other: Path) -> Iterator[None]:
    """Exchanges what stands at the two, again and again."""
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            exchange(one, other)
            time.sleep(0.00002)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def content_of(engine: SqliteEngine) -> bytes:
    with engine.snapshot() as snapshot:
        return b"".join(snapshot.blocks(4096))


def filled(path: Path, text: str, mode: str = "delete") -> Path:
    make_database(
        path,
        f"PRAGMA journal_mode = {mode}",
        "PRAGMA synchronous = OFF",
        "CREATE TABLE t(x)",
        f"INSERT INTO t VALUES ('{text}')",
    )
    return path


def restored_content() -> PagesContent:
    with tempfile.TemporaryDirectory() as folder:
        return PagesContent(pages_of(filled(Path(folder) / "x.db", "restored")))


def look(engine: SqliteEngine) -> None:
    content_of(engine)


def put_back(engine: SqliteEngine) -> None:
    engine.restore(restored_content(), before_commit=ignore, progress=ignore)


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("use", [look, put_back])
def test_a_planted_journal_deletes_no_file(
    tmp_path: Path, mode: str, use: Callable[[SqliteEngine], None]
) -> None:
    path = filled(tmp_path / "x.db", "mine", mode)
    key = tmp_path / "elsewhere.key"
    key.write_text("a key")
    path.with_name("x.db-journal").write_bytes(journal_naming(path, key))

    with pytest.raises(SourceError, match="delete the journal"):
        use(SqliteEngine(path, lock_wait=1))
    assert key.read_text() == "a key"


@pytest.mark.skipif(not fences(), reason="the kernel has no Landlock")
@pytest.mark.parametrize("use", [look, put_back])
@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_folder_exchanged_before_the_first_read_is_not_looked_into(
    tmp_path: Path, mode: str, use: Callable[[SqliteEngine], None]
) -> None:
    """What lies there beside a database of the same name would be taken for this one's."""
    theirs, others, link = (tmp_path / name for name in ("theirs", "others", "link"))
    theirs.mkdir()
    others.mkdir()
    path = filled(theirs / "x.db", "mine", mode)
    link.symlink_to(others)
    with sqlite3.connect(filled(others / "x.db", "of another", mode)) as holder:
        if mode == "wal":
            holder.execute("INSERT INTO t VALUES ('of another, too')")
            holder.commit()
        else:
            (others / "x.db-journal").write_bytes(journal_of(others / "x.db"))
        before = {file.name: file.read_bytes() for file in others.iterdir()}
        swap = [lambda: exchange(theirs, link)]
        engine = SqliteEngine(path, lock_wait=0.2, admit=lambda found: swap.pop()())
        with pytest.raises(SourceError):
            use(engine)
        assert {file.name: file.read_bytes() for file in others.iterdir()} == before
        exchange(theirs, link)
        assert content_of(SqliteEngine(path)).count(b"mine") == 1


@pytest.mark.parametrize("suffix", ["-journal", "-wal", "-shm"])
@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_link_beside_a_database_is_refused(tmp_path: Path, mode: str, suffix: str) -> None:
    path = filled(tmp_path / "x.db", "mine", mode)
    other = tmp_path / "other"
    other.write_bytes(b"something of another")
    path.with_name(f"x.db{suffix}").symlink_to(other)
    with pytest.raises(SourceError, match="a link or something else"):
        look(SqliteEngine(path, lock_wait=1))
    path.with_name(f"x.db{suffix}").unlink()
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.link(other, folder / f"x.db{suffix}")
    os.rename(path, folder / "x.db")
    with pytest.raises(SourceError, match="a link or something else"):
        look(SqliteEngine(folder / "x.db", lock_wait=1))
    assert other.read_bytes() == b"something of another"


@pytest.mark.skipif(not fences(), reason="the kernel has no Landlock")
def test_a_fenced_thread_gets_at_its_folder_alone(tmp_path: Path) -> None:
    folder, other = tmp_path / "folder", tmp_path / "other"
    folder.mkdir()
    other.write_text("another's")
    (folder / "link").symlink_to(other)

    def work() -> list[str]:
        (folder / "mine").write_text("written")
        told = []
        for attempt in (
            other.read_text,
            (folder / "link").read_text,
            other.unlink,
            lambda: other.write_text("x"),
            lambda: (tmp_path / "new").write_text("x"),
            lambda: os.truncate(other, 0),
        ):
            try:
                attempt()
            except OSError as error:
                told.append(type(error).__name__)
        (folder / "mine").unlink()
        return told

    assert fenced(folder, work) == ["PermissionError"] * 6
    assert other.read_text() == "another's", "this thread is free"


def outcomes(attempt: Callable[[], bytes]) -> list[bytes]:
    """What came out, again and again for some seconds; nothing of what was refused."""
    told, ends = [], time.monotonic() + SECONDS
    while time.monotonic() < ends:
        try:
            told.append(attempt())
        except SourceError:
            continue
    return told


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_file_exchanged_for_a_link_is_never_read(tmp_path: Path, mode: str) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    path = filled(theirs / "x.db", "mine", mode)
    secret = filled(tmp_path / "secret.db", "of another", mode)
    link = theirs / "link"
    link.symlink_to(secret)
    engine = SqliteEngine(path, lock_wait=0.2, check_seconds=0, follow_links=False)
    with exchanging(path, link):
        told = outcomes(lambda: content_of(engine))
    assert len(told) > 20
    assert not any(b"of another" in content for content in told)


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_folder_exchanged_for_a_link_is_never_read(tmp_path: Path, mode: str) -> None:
    """Nor what lies beside the database there: a -wal would be taken for the database's own."""
    theirs, others, roots = tmp_path / "theirs", tmp_path / "others", tmp_path / "roots"
    for folder in (theirs, others, roots):
        folder.mkdir()
    path = filled(theirs / "x.db", "mine", mode)
    secret = filled(others / "x.db", "of another", mode)
    link = roots / "link"
    link.symlink_to(others)
    with sqlite3.connect(secret) as holder:
        holder.execute("INSERT INTO t VALUES ('of another, too')")
        holder.commit()  # in the -wal, which lies there as long as this is open
        engine = SqliteEngine(path, lock_wait=0.2, check_seconds=0, follow_links=False)
        with exchanging(theirs, link):
            told = outcomes(lambda: content_of(engine))
    assert len(told) > 20
    assert not any(b"of another" in content for content in told)


def test_a_restore_never_writes_what_was_exchanged_for_the_database(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    path = filled(theirs / "x.db", "mine")
    secret = filled(tmp_path / "secret.db", "of another")
    before = secret.read_bytes()
    link = theirs / "link"
    link.symlink_to(secret)
    content = restored_content()
    engine = SqliteEngine(path, lock_wait=0.2, follow_links=False)

    def restored() -> bytes:
        engine.restore(content, before_commit=ignore, progress=ignore)
        return b""

    with exchanging(path, link):
        done = outcomes(restored)
    assert done
    assert secret.read_bytes() == before
