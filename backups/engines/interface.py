"""What an engine does for the pipeline, and what the pipeline gives to an engine."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from backups.facts import Findings

Bytes = bytes | memoryview

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
        """What the same moment says about itself, e.g. tables and their row counts.

        Found out when it is first asked for; after `release` there are none. For what they say
        about soundness see `backups.facts`. Raises DatabaseDamaged for damage that is come upon,
        unless the snapshot keeps what is damaged; other SourceErrors.
        """

    @property
    def is_examined(self) -> bool:
        """Whether all of the database was looked at before, so that its facts say the most."""

    def begin_facts(self) -> None:
        """Begin to find the facts out while blocks are read, if that can be: they will be asked
        for."""

    @property
    def tools(self) -> Mapping[str, str]:
        """The versions of what read the database."""

    def blocks(self, block_size: int) -> Iterator[bytes]:
        """The content in order, in pieces of one or some blocks of `block_size` bytes; only the
        last block may be shorter.

        Raises SourceError. Can be used once.
        """

    def release(self) -> None:
        """Let go of the database: no more blocks are wanted. Nothing where a caller holds it."""


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

    @property
    def block_size(self) -> int:
        """Bytes in a block: a multiple of `unit_size`."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the snapshot that it is from said of itself."""

    def blocks(self, known: Iterable[Bytes] = ()) -> Iterator[Bytes]:
        """The content in order, from its start at each call, in pieces of `block_size` bytes;
        only the last may be shorter.

        `known` is what the database holds now, in the same pieces; it may end early, or be longer.
        A piece that is the content's at its place is handed out itself, the very object, and
        nothing is read from the store for it; some pieces are asked for ahead. Each block is
        checked before it is handed out, and the hash of the whole when the iterator ends: who has
        not seen it end has nothing that may be kept. Raises StorageError.
        """


class Engine(Protocol):
    """One database of one kind."""

    @property
    def name(self) -> str:
        """The kind of database, as written into manifests."""

    def state(self) -> str:
        """A text that is the same as before only if the database was not written in between.

        Told without reading the database; empty when it can't be. A content that is read after
        this call is at least as new as the text. Raises SourceError.
        """

    def rights(self) -> str:
        """Who may use the database, as its operating system has it, in a text by which a restore
        can make it anew for the same when it is gone; "" where that is unknown or means nothing.
        """

    def snapshot(self, *, keep_damaged: bool = False) -> AbstractContextManager[Snapshot]:
        """A consistent view of the database, held no longer than needed.

        `keep_damaged`: a database that is damaged is given as it is, and its facts say so; without
        it DatabaseDamaged is raised when damage is found, which is only what the engine proves to
        be broken. What it can't judge is a fact. Raises SourceError.
        """

    def check(self, tick: Callable[[], None]) -> None:
        """Look for damage in all of the database, and remember what was found for the snapshots
        that follow, which look no more. For a database that nobody else writes.

        `tick` is called on the way; what it raises is passed on. Raises SourceError when it can't
        be found out.
        """

    def restore(
        self,
        content: Content,
        *,
        keep: Callable[[Snapshot], None] | None = None,
        before_commit: Callable[[str], None],
        progress: Progress,
    ) -> None:
        """Make the database hold `content`, wholly or not at all.

        `keep` is given what the database holds and is about to lose, before anything of it is
        written over: nobody else can write from then until the restore has ended. It is not
        called when there is no database. A database that is damaged is not refused; what `facts`
        tell of it may be little then, and its `structure_checked` is false: nobody has looked.
        Nor is a content: its hash proves it, and what the engine's check would say of it doesn't
        count. `before_commit` is called when everything is written and read back, right before the
        step that makes it true, with a mark by which `holds` can tell later whether it did.
        Whatever these or `progress` raise is passed on with nothing changed; so are SourceError
        (the database) and StorageError (the content). `progress` reaches 0 before the commit:
        after it nothing can fail any more.
        """

    def holds(self, mark: str) -> bool:
        """Whether the restore that gave this mark to `before_commit` has taken effect.

        Also true when the database was changed since. Raises SourceError.
        """

    def remove_leftovers(self, *, grace: float) -> int:
        """Remove what killed processes left beside the database and in the scratch folder, if it
        was not touched for `grace` seconds. Returns how many files there were.

        Call it while no restore of the database runs. Raises SourceError.
        """

    def examine(
        self, content: Content, *, facts: Mapping[str, Any], progress: Progress
    ) -> Findings:
        """Read all of `content`, and find out what the engine says of the database in it. The
        project's own database is not looked at.

        `facts`: those of the snapshot that it is from. What is found belongs to the database that
        was backed up, as `content` is proved by its hash: it is returned, not raised. Raises
        DatabaseDamaged only when `facts` are not true of a content without damage, other
        SourceErrors when it can't be found out, and what `content` or `progress` raise.
        """
