"""Projects with a history, stored by the pipeline: what recoveries and other readers are tried on."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backups.engines.sqlite import SqliteEngine
from backups.pipeline import ProjectStore, Taken, VersionLabel, take
from backups.store.local import LocalStore
from backups.store.seal import Keyring

from .engines.sqlite_files import ignore, make_database, pages_of

KEY, NEW_KEY = bytes(range(32)), bytes(range(32, 64))
GID = "8c0d5a8b-0161-44f6-80ec-b52dd6829c6d"


@dataclass(frozen=True)
class Stored:
    """A version, and what its database held, byte for byte."""

    version: int
    name: str
    taken: Taken
    content: bytes


class History:
    """One project whose database changes between its versions. The same seed, the same history.

    Small blocks, segments, frames and packs: a few pages are many of all of them.
    """

    def __init__(
        self,
        folder: Path,
        store: Path,
        gid: str = GID,
        *,
        page_size: int = 512,
        pages_in_block: int = 4,
        seed: int = 1,
        keys: Sequence[bytes] = (KEY,),
    ) -> None:
        self.gid = gid
        self.database = folder / f"{gid}.sqlite3"
        self.versions: list[Stored] = []
        self.keys = keys
        self.name = "state"
        self.store = store
        self._page_size = page_size
        self._pages_in_block = pages_in_block
        self._chance = random.Random(seed)
        make_database(
            self.database,
            f"PRAGMA page_size = {page_size}",
            "CREATE TABLE notes(id INTEGER PRIMARY KEY, text)",
        )

    @property
    def project_store(self) -> ProjectStore:
        return ProjectStore(
            LocalStore(self.store),
            Keyring.of(*self.keys),
            self.gid,
            block_size=self._pages_in_block * self._page_size,
            segment_blocks=4,
            frame_size=6 * self._page_size,
            pack_size=40 * self._page_size,
        )

    def grow(self, rows: int) -> None:
        """Add rows of a third of a page each."""
        size = self._page_size // 3
        texts = [self._chance.randbytes(size // 2).hex() for _ in range(rows)]
        values = ", ".join(f"('{text}')" for text in texts)
        make_database(self.database, f"INSERT INTO notes(text) VALUES {values}")

    def change(self, rows: int) -> None:
        """Write some rows anew, here and there."""
        make_database(
            self.database,
            *(
                f"UPDATE notes SET text = '{self._chance.randbytes(9).hex()}' || substr(text, 19)"
                f" WHERE id = 1 + {self._chance.getrandbits(31)} % (SELECT max(id) FROM notes)"
                for _ in range(rows)
            ),
        )

    def shrink(self) -> None:
        """Drop the later half of the rows, and the pages with them."""
        half = "(SELECT max(id) / 2 FROM notes)"
        make_database(self.database, f"DELETE FROM notes WHERE id > {half}", "VACUUM")

    def take(self, *, keep_damaged: bool = False) -> Stored:
        """Store what the database holds as the next version."""
        version = len(self.versions) + 1
        name = f"{self.name} {version}"
        taken = take(
            SqliteEngine(self.database),
            self.project_store,
            VersionLabel(version, name, "the tests", 1767225600.25 + version),
            parent_key=self.versions[-1].taken.manifest_key if self.versions else None,
            lender_keys=[stored.taken.manifest_key for stored in self.versions],
            keep_damaged=keep_damaged,
            progress=ignore,
        )
        # Nobody has it open; SQLite itself may not read one that is damaged.
        content = self.database.read_bytes() if keep_damaged else b"".join(pages_of(self.database))
        stored = Stored(version, name, taken, content)
        self.versions.append(stored)
        return stored


def eventful(history: History) -> History:
    """Growth, changes here and there, nothing, shrinking, growth again, another key, many layers."""
    history.take()  # a table without rows
    history.grow(200)
    history.take()
    history.take()  # unchanged
    for _ in range(20):  # more than a chain may have
        history.change(1)
        history.take()
    history.shrink()
    history.take()
    history.change(5)
    history.take()
    history.keys = (NEW_KEY, *history.keys)
    history.grow(40)
    history.take()
    history.take()  # unchanged, under another key
    return history
