"""One connection's place in the feed: what it may see, and what is still to be sent to it."""

import asyncio
from uuid import UUID

from django.conf import settings

from jobs.models import Event
from projects.models import User

# An event's cursor and its text.
Line = tuple[int, str]


class Overflow(Exception):
    """The listener takes events more slowly than they come; it resumes by its cursor."""


class ProjectLeft(Exception):
    """The listener asked for certain projects and is no member of one of them any more."""


class Listener:
    """One connection's place in the feed."""

    def __init__(
        self,
        user: User,
        narrowed: frozenset[UUID] | None,
        cursor: int,
        user_changed: asyncio.Event,
    ) -> None:
        self.cursor = cursor
        self.user_gid: UUID = user.gid
        self.narrowed = narrowed
        self.projects: set[UUID] = set()
        self.user_changed = user_changed
        self._failure: Exception | None = None
        self._queue: list[Line] = []
        self._filled = asyncio.Event()

    def wants(self, event: Event) -> bool:
        if event.cursor <= self.cursor:
            return False  # the log's reader may be behind what this listener has had
        return event.project_gid in self.projects or event.user_gid == self.user_gid

    def put(self, line: Line) -> None:
        if len(self._queue) >= settings.LISTENER_QUEUE:
            self.fail(Overflow())
        else:
            self._queue.append(line)
            self._filled.set()

    def fail(self, failure: Exception) -> None:
        self._failure = failure
        self._filled.set()

    def set_membership(self, project_gid: UUID, is_reader: bool) -> bool:
        """Follow a change of who may see the project; True if it begins to be seen here."""
        if self.narrowed is not None and project_gid not in self.narrowed:
            return False
        begins = is_reader and project_gid not in self.projects
        if is_reader:
            self.projects.add(project_gid)
        elif project_gid in self.projects:
            self.projects.discard(project_gid)
            if self.narrowed is not None:
                self.fail(ProjectLeft())
        return begins

    async def take(self) -> list[Line]:
        """The events since the last call, at least one; raises what ended the listening."""
        await self._filled.wait()
        if self._failure is not None:
            raise self._failure
        taken, self._queue = self._queue, []
        self._filled.clear()
        return taken
