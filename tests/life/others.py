"""The database that stands in a case's place while the case is restored over it."""

from pathlib import Path

from .case import numbers, run
from .pages import MAGIC, content_at, in_wal_mode, page_size_of


def other_like(content: bytes, path: Path, *, wal: bool) -> bytes:
    """A healthy database with other tables, in pages and an encoding like those of `content`: a
    database that programs have open can't change either. Made at `path`."""
    encoding, reserved = 1, 0
    if content[:16] == MAGIC and len(content) > 100:
        encoding = max(1, int.from_bytes(content[56:60], "big"))
        reserved = content[20]
    size = page_size_of(content)
    run(path, f"PRAGMA page_size = {size}", "PRAGMA user_version = 3")
    page = bytearray(path.read_bytes())
    page[20] = reserved
    page[56:60] = encoding.to_bytes(4, "big")
    page[105:107] = ((size - reserved) % 65536).to_bytes(2, "big")
    path.write_bytes(page)
    run(
        path,
        "CREATE TABLE another (id INTEGER PRIMARY KEY, word TEXT UNIQUE)",
        f"{numbers(700)} INSERT INTO another SELECT i, hex(randomblob(20)) FROM n",
    )
    return in_wal_mode(content_at(path), yes=wal)
