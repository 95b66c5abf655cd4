"""What an engine does for the pipeline, and what the pipeline gives to an engine."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

Progress = Callable[[int, int], None]
"""progress(total, remaining), in the engine's own unit; called often, and may raise."""


class Snapshot(Protocol):
    """What a database held at one moment. Valid inside the context that gave it."""

    @property
    def engine(self) -> str:
        """The engine's name, as in `Engine.name`."""

    @property
    def unit(self) -> str:
        """What `units` counts: "pages" for SQLite."""

    @property
    def unit_size(self) -> int:
        """Bytes in one unit."""

    @property
    def units(self) -> int:
        """How many units the content has."""

    @property
    def size(self) -> int:
        """Bytes in the content."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the same moment says about itself, e.g. tables and their row counts."""

    @property
    def tools(self) -> Mapping[str, str]:
        """The versions of what read the database."""

    def blocks(self, block_size: int) -> Iterator[bytes]:
        """The content in order, in pieces of `block_size` bytes; only the last may be shorter.

        Raises SourceError. Can be used once.
        """


class Content(Protocol):
    """What a restore is given: a version's content, verified while it is read."""

    @property
    def unit_size(self) -> int:
        """Bytes in one unit."""

    @property
    def units(self) -> int:
        """How many units the content has."""

    @property
    def size(self) -> int:
        """Bytes in the content."""

    def blocks(self) -> Iterator[bytes]:
        """The content in order, from its start at each call.

        Each block is checked before it is handed out, and the hash of the whole when the
        iterator ends: who has not seen it end has nothing that may be kept. Raises StorageError.
        """


class Engine(Protocol):
    """One database of one kind."""

    @property
    def name(self) -> str:
        """The kind of database, as written into manifests."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """A consistent view of the database, held no longer than needed. Raises SourceError."""

    def restore(
        self, content: Content, *, before_commit: Callable[[str], None], progress: Progress
    ) -> None:
        """Make the database hold `content`, wholly or not at all.

        `before_commit` is called when everything is written and checked, directly before the
        step that makes it true, with a mark by which `holds` can tell later whether it did.
        Whatever it or `progress` raises is passed on with nothing changed; so are SourceError
        (the database) and StorageError (the content). `progress` reaches 0 before the commit:
        after it nothing can fail any more.
        """

    def holds(self, mark: str) -> bool:
        """Whether the restore that gave this mark to `before_commit` has taken effect.

        Also true when the database was changed since. Raises SourceError.
        """
