"""The pages of a database as its file and its -wal hold them, read without any SQLite: many of
the cases no SQLite reads."""

from collections.abc import Iterator
from pathlib import Path

from ..backups.engines.sqlite_files import comparable

MAGIC = b"SQLite format 3\0"
_WAL_HEADER, _FRAME_HEADER = 32, 24


def page_size_of(content: bytes) -> int:
    """The size of a page by the header; 4096 where there is no header that says so."""
    size = int.from_bytes(content[16:18], "big")
    size = 65536 if size == 1 else size
    is_size = size >= 512 and size & (size - 1) == 0
    return size if content[:16] == MAGIC and is_size else 4096


def content_at(path: Path) -> bytes:
    """What is committed: the file, with what its -wal has over it, up to the last page that the
    first one counts."""
    content = bytearray(path.read_bytes())
    wal = path.with_name(path.name + "-wal")
    if wal.exists():
        for pages, size in _commits(wal.read_bytes()):
            length = len(next(iter(pages.values())))
            for number, page in pages.items():
                content[(number - 1) * length : number * length] = page
            # Longer or shorter than the file was, by the last commit.
            content = content[: size * length].ljust(size * length, b"\0")
    return bytes(content[: _counted(content)])


def _counted(content: bytes) -> int:
    """How long the database is by its first page, if that says so, as SQLite goes by it."""
    told = int.from_bytes(content[28:32], "big") * page_size_of(content)
    is_kept = content[:16] == MAGIC and content[24:28] == content[92:96]
    return min(told, len(content)) if is_kept and told else len(content)


def _commits(wal: bytes) -> Iterator[tuple[dict[int, bytes], int]]:
    """The pages of each transaction, and how many pages there are after it."""
    if len(wal) < _WAL_HEADER:
        return
    order = "little" if int.from_bytes(wal[:4], "big") & 1 == 0 else "big"
    size = int.from_bytes(wal[8:12], "big")
    salts = wal[16:24]
    sums = _sums(wal[:24], order, (0, 0))
    pages: dict[int, bytes] = {}
    for at in range(_WAL_HEADER, len(wal) - _FRAME_HEADER - size + 1, _FRAME_HEADER + size):
        header, page = wal[at : at + _FRAME_HEADER], wal[at + _FRAME_HEADER :][:size]
        sums = _sums(page, order, _sums(header[:8], order, sums))
        told = (int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big"))
        if header[8:16] != salts or told != sums:
            return
        pages[int.from_bytes(header[:4], "big")] = page
        if count := int.from_bytes(header[4:8], "big"):
            yield pages, count
            pages = {}


def _sums(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    one, two = sums
    for at in range(0, len(data), 8):
        first = int.from_bytes(data[at : at + 4], order)  # type: ignore[arg-type]
        second = int.from_bytes(data[at + 4 : at + 8], order)  # type: ignore[arg-type]
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two


def same(content: bytes) -> list[bytes]:
    """The pages, but for what a restore in place, and SQLite, count on in the first of them."""
    size = page_size_of(content)
    return comparable([content[at : at + size] for at in range(0, len(content), size)])


def in_wal_mode(content: bytes, *, yes: bool) -> bytes:
    """The same database in WAL mode or in a rollback-journal mode, as its header says it."""
    if content[:16] != MAGIC:
        return content
    return content[:18] + (b"\2\2" if yes else b"\1\1") + content[20:]


def lie_at(path: Path, content: bytes) -> None:
    """Put a database in the place of another that nobody has open."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.write_bytes(content)
