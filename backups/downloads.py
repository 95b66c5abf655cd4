"""A version as a plain database file, for whoever wants to have it elsewhere."""

import hashlib
import logging
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from django.db import DatabaseError
from django.utils.text import slugify

from backups import targets
from backups.engines.interface import Bytes
from backups.models import Backup
from backups.pipeline import opened_content

logger = logging.getLogger(__name__)

# Pieces for a client, instead of blocks: fewer steps for the same bytes.
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Download:
    """A version's file. `sha256` is in hex; `etag` the same for the same bytes only."""

    backup: Backup
    size: int
    sha256: str

    @property
    def etag(self) -> str:
        return f'"{self.sha256}"'

    @property
    def file_name(self) -> str:
        project = slugify(self.backup.project.name, allow_unicode=True)[:60] or "database"
        return f"{project}-version-{self.backup.version}.sqlite3"

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` up to `end`. Nothing is read before the first is asked for.

        Raises StorageError: for a whole file also at its end, if it is not what was backed up.
        """
        return pieces_of(self.backup, None if (start, end) == (0, self.size) else (start, end))


def download_of(backup: Backup) -> Download:
    """The version as a file. The first time all of it is read, for its hash. Raises StorageError,
    also when it is not what was backed up."""
    if not backup.sha256:
        hasher = hashlib.sha256()
        with closing(pieces_of(backup)) as pieces:
            for piece in pieces:
                hasher.update(piece)
        note_hash(backup, hasher.hexdigest())
    return Download(backup, backup.size or 0, backup.sha256)


def note_hash(backup: Backup, sha256: str) -> None:
    """Record the hash, if Savepoint's own database can be written now."""
    try:
        backup.record_sha256(sha256)
    except DatabaseError:
        # A database that is full or locked for long must not keep anybody from reading.
        logger.warning("the hash of %s could not be noted", backup, exc_info=True)


def pieces_of(backup: Backup, part: tuple[int, int] | None = None) -> Generator[bytes, None, None]:
    """The bytes of a version's file, or those from one place up to another."""
    store = targets.store_of(backup.project)
    with opened_content(store, backup.manifest_key) as content:
        yield from gathered(content.blocks() if part is None else content.part(*part))


def gathered(blocks: Iterable[Bytes], size: int = _PIECE_BYTES) -> Iterator[bytes]:
    """The same bytes in pieces of at least `size`, except for the last.

    That one is kept back until `blocks` have ended: whoever has all bytes knows that nothing was
    found wrong at their end either.
    """
    piece: list[Bytes] = []
    length = 0
    for block in blocks:
        if length >= size:
            yield b"".join(piece)
            piece, length = [], 0
        piece.append(block)
        length += len(block)
    if piece:
        yield b"".join(piece)
