"""Deleting what no listed version needs, by mark and sweep; and making little of what is left.

What was listed before the versions were read, is needed by none of them, and was looked at by
whoever holds the project's job then, is of no use for ever: a new version takes objects only from
versions that were listed when its own job, held after this one, began; and what is put later has
another name. An index may still name versions that are not listed: it is only asked where to look
in those that are. So it does no harm when a sweep whose job has been given to another worker goes
on deleting.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from backups.errors import (
    OBJECT_DAMAGE,
    ObjectMissing,
    StorageError,
    StorageFull,
)
from backups.store.condemned import Condemned
from backups.store.family import families_of
from backups.store.project import ProjectStore
from backups.store.repack import Worth, repack

logger = logging.getLogger(__name__)

WORTH = Worth()

Progress = Callable[[int, int], None]


class Listing(Protocol):
    """Where versions are listed, as whoever holds the project's job sees it."""

    def manifest_keys(self) -> Sequence[str]:
        """The manifests' keys of all versions that are listed now."""

    def knows(self, version: int) -> bool:
        """Whether it is known what became of this version: it is listed, was deleted, or was never
        completed. What nobody knows of was perhaps listed by a database that is lost."""

    def confirm(self) -> None:
        """Raise unless the project's job is still held."""

    def switch(self, keys: Mapping[str, str]) -> None:
        """Let the versions with these manifests, as far as they are still listed, have the others
        from now on: all or, when it raises, none or all. Only while the job is held."""


@dataclass
class Swept:
    """What a sweep did. `deleted` objects of `freed` bytes; `written`: bytes of what was written
    anew; `waiting`: objects that a later sweep may delete."""

    deleted: int = 0
    freed: int = 0
    written: int = 0
    waiting: int = 0


def sweep(
    project_store: ProjectStore,
    listing: Listing,
    *,
    grace: float,
    progress: Progress,
    clock: Callable[[], float] = time.time,
    worth: Worth = WORTH,
) -> Swept:
    """Delete what no listed version has needed for `grace` seconds, and write packs anew, without
    what no version needs, where it is worth it.

    The first sweep that finds an object of no use writes that down, by `clock` in seconds since
    the epoch; so whoever reads a version while it is deleted, or written anew, has `grace` to end.
    With a grace of 0 all is deleted at once. A version that the listing doesn't know is kept as if
    it were listed. Nothing is deleted as long as the manifest or the outline of any of them can't
    be read, since it might need anything. `progress` is told
    of objects. Raises StorageError, and what `listing` or `progress` raise; versions can be
    restored whenever that is.
    """
    swept = Swept()
    marked = _Sweep(project_store, listing, grace, progress, clock, swept)
    marked.collect()
    if marked.repack(worth):
        marked.collect()
    swept.deleted += project_store.store.remove_abandoned(project_store.gid, grace=grace)
    return swept


class _Sweep:
    def __init__(
        self,
        project_store: ProjectStore,
        listing: Listing,
        grace: float,
        progress: Progress,
        clock: Callable[[], float],
        swept: Swept,
    ) -> None:
        self._project_store = project_store
        self._listing = listing
        self._grace = round(1000 * grace)
        self._progress = progress
        self._clock = clock
        self._swept = swept
        self._total = 1

    def collect(self) -> None:
        """Delete what has been of no use for long enough; note what is of no use now."""
        # In this order, or what a version in the making has put would seem to be of no use.
        keys = [
            *self._project_store.manifest_keys(),
            *self._project_store.table_keys(),
            *self._project_store.pack_keys(),
        ]
        records = list(self._project_store.condemned_keys())
        self._total = max(1, len(keys))
        self._step()
        needed = self._needed(keys)
        self._listing.confirm()
        garbage = [key for key in keys if key not in needed]
        del keys, needed
        now = round(1000 * self._clock())
        ripe, pending, spent = self._noted(records, now)
        doomed = self._doomed(garbage, ripe)
        self._delete(doomed)
        kept = set(garbage).difference(doomed)
        self._swept.waiting = len(kept)
        if fresh := sorted(kept - pending):
            self._note(Condemned(now, tuple(fresh)))
        for key in spent:
            self._project_store.store.delete(key)
        self._project_store.store.flush()

    def repack(self, worth: Worth) -> bool:
        """Write packs of much waste anew; whether there were any. Raises StorageError."""
        families = families_of(self._project_store, self._listing.manifest_keys(), self._step)
        found = False
        while families:
            try:
                repacked = repack(self._project_store, families.pop(), self._step, worth=worth)
            except StorageFull as error:
                raise StorageFull(
                    f"{error.reason} to write packs of much waste anew;"
                    f" {self._swept.deleted} objects were deleted before"
                ) from error
            if repacked is not None:
                # What was written is never taken back from here on: the switch may have worked.
                self._listing.switch(repacked.manifest_keys)
                self._swept.written += repacked.written
                found = True
        return found

    def _unknown(self, keys: Iterable[str]) -> Iterator[str]:
        """The manifests of versions that the listing doesn't know."""
        for key in keys:
            if self._project_store.is_manifest(key) and not self._listing.knows(
                self._project_store.version_of(key)
            ):
                yield key

    def _needed(self, keys: Sequence[str]) -> set[str]:
        """The keys of all that listed versions need, and those that nobody knows of; the records
        not included."""
        needed: set[str] = set()
        outlines: set[str] = set()
        for key in (*self._listing.manifest_keys(), *self._unknown(keys)):
            self._step()
            needed.add(key)
            try:
                manifest = self._project_store.read_manifest(key)
                if manifest.outline.name not in outlines:
                    outlines.add(manifest.outline.name)
                    needed.update(self._project_store.needed_keys(manifest))
            except StorageError as error:
                # The same kind of error, with what follows from it.
                raise type(error)(
                    f"{error.reason}; nothing was deleted, as the version may need anything"
                ) from error
        return needed

    def _noted(self, records: Iterable[str], now: int) -> tuple[set[str], set[str], list[str]]:
        """The keys noted long enough ago, those noted since, and the records of no more use."""
        ripe: set[str] = set()
        pending: set[str] = set()
        spent: list[str] = []
        for key in records:
            self._step()
            record = self._project_store.read_condemned(key)
            if record is not None and now - self._grace < record.condemned_on <= now:
                pending.update(record.keys)
                continue
            spent.append(key)
            # One from the future was noted by a clock that was wrong: its keys are noted anew.
            if record is not None and record.condemned_on <= now:
                ripe.update(record.keys)
        return ripe, pending, spent

    def _doomed(self, garbage: Sequence[str], ripe: set[str]) -> list[str]:
        """What of the garbage may go: nothing that a manifest names which has to stay for now.

        Such a manifest, whose note was damaged or made by a wrong clock, is noted anew, and so
        later than what it shares with versions that were deleted after it.
        """
        if not self._grace:
            return list(garbage)
        named: set[str] = set()
        for key in garbage:
            if key in ripe or not self._project_store.is_manifest(key):
                continue
            self._step()
            try:
                named.update(
                    self._project_store.needed_keys(self._project_store.read_manifest(key))
                )
            except OBJECT_DAMAGE as error:
                logger.info("A manifest of no use can't be read either: %s", error.reason)
        return [key for key in garbage if key in ripe and key not in named]

    def _delete(self, keys: Sequence[str]) -> None:
        """Delete objects, whose manifests come first."""
        store = self._project_store.store
        manifests = [key for key in keys if self._project_store.is_manifest(key)]
        rest = keys[len(manifests) :]
        left = len(keys)
        for part in (manifests, rest):
            for key in part:
                self._progress(self._total, left)
                with suppress(ObjectMissing):
                    size = store.size(key)
                    store.delete(key)
                    self._swept.deleted += 1
                    self._swept.freed += size
                left -= 1
            # A manifest must never be on disk without what it names.
            store.flush()

    def _note(self, condemned: Condemned) -> None:
        try:
            self._project_store.put_condemned(condemned)
        except StorageFull as error:
            raise StorageFull(
                f"{error.reason}, not even to note what may be deleted later;"
                " a sweep without a time of grace needs none"
            ) from error

    def _step(self) -> None:
        self._progress(self._total, self._total)
