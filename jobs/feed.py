"""Hands new events to the listeners of this web process.

One reader of the log for all of them: it reads an event once, turns it into text once, and puts
the text into the bounded queue of each listener that may see it.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error, close_old_connections

from jobs import bell, events
from jobs.listener import Line, Listener, Overflow
from jobs.models import Event
from projects.access import readers_of, visible_project_gids
from projects.models import User

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

REPLAY_PAGE = 500
NEWS_PAGE = 5000
ERROR_PAUSE_SECONDS = 1.0


def line_of(event: Event) -> Line:
    return event.cursor, json.dumps(events.wire_event(event), separators=(",", ":"))


def _in_thread(function: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        close_old_connections()
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    # Not thread-sensitive: else the queries of all sockets of a process would share one thread.
    return sync_to_async(call, thread_sensitive=False)


@_in_thread
def _visible(user: User, narrowed: frozenset[UUID] | None) -> set[UUID]:
    visible = visible_project_gids(user)
    return visible if narrowed is None else visible & narrowed


@_in_thread
def _page(cursor: int, projects: set[UUID], user_gid: UUID, upto: int) -> list[Event]:
    found = events.events_after(cursor, project_gids=projects, user_gids=[user_gid])
    page = list(found.filter(cursor__lte=upto)[:REPLAY_PAGE])
    events.check_cursor(cursor)
    return page


@_in_thread
def _news(cursor: int, projects: set[UUID], user_gids: set[UUID]) -> tuple[int, list[Event]]:
    latest = events.latest_cursor()
    if latest == cursor or not user_gids:
        return latest, []
    latest = min(latest, cursor + NEWS_PAGE)
    # Memberships may begin: their events are looked at even where nobody listens to the project.
    found = events.events_after(cursor, project_gids=projects, user_gids=user_gids)
    begun = Event.objects.filter(
        cursor__gt=cursor, data_type__in=("cc.projects_members", "cc.projects")
    )
    return latest, list((found | begun).filter(cursor__lte=latest).order_by("cursor"))


_readers = _in_thread(readers_of)
_latest = _in_thread(events.latest_cursor)


class Feed:
    """The reader of the log in one web process. It runs while there are listeners."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self._position = 0
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def follow(
        self,
        user: User,
        narrowed: frozenset[UUID] | None,
        cursor: int,
        user_changed: asyncio.Event,
    ) -> AsyncGenerator[list[Line], None]:
        """All events after the cursor that the user may see, batch by batch, for ever.

        `user_changed` is set when the user's own data change. The first batch may be empty.
        Raises CursorUnknown, Overflow or ProjectLeft.
        """
        listener = Listener(user, narrowed, cursor, user_changed)
        visible = await _visible(user, narrowed)
        await self._start()
        while page := await _page(cursor, visible, user.gid, self._position):
            cursor = page[-1].cursor
            yield [line_of(event) for event in page]
            if len(page) < REPLAY_PAGE:
                break
        try:
            async with self._turn:
                # Nothing is handed out meanwhile: what is read here and what comes later meet.
                listener.projects = await _visible(user, narrowed)
                page = await _page(cursor, listener.projects, user.gid, self._position)
                while len(page) and len(page) % REPLAY_PAGE == 0:
                    page += await _page(
                        page[-1].cursor, listener.projects, user.gid, self._position
                    )
                self.listeners.add(listener)
            yield [line_of(event) for event in page]
            while True:
                yield await listener.take()
        finally:
            self.listeners.discard(listener)

    async def _start(self) -> None:
        async with self._turn:
            if self._task is None or self._task.done():
                # A task that ended has cut its listeners off: nobody misses what is before this.
                self._position = await _latest()
                self._task = asyncio.create_task(self._run(), name="feed")

    async def stop(self) -> None:
        """End the reader; listeners stay where they are and are closed by their connections."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            await self._read_on()
        except Exception:
            logger.exception("the feed ended by a fault; its listeners resume by their cursors")
        finally:
            while self.listeners:
                self.listeners.pop().fail(Overflow())

    async def _read_on(self) -> None:
        ear = bell.Bell(bell.FEEDS)
        rung = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(ear.socket, rung.set)
        try:
            while True:
                rung.clear()
                ear.clear()
                try:
                    async with self._turn:
                        before = self._position
                        await self._hand_out()
                    if self._position != before:
                        continue  # there may be more already
                except Error:
                    logger.warning("the feed could not read the event log", exc_info=True)
                    await asyncio.sleep(ERROR_PAUSE_SECONDS)
                try:
                    async with asyncio.timeout(settings.FEED_POLL_SECONDS):
                        await rung.wait()
                except TimeoutError:
                    continue
        finally:
            loop.remove_reader(ear.socket)
            ear.close()

    async def _hand_out(self) -> None:
        projects = set().union(*(listener.projects for listener in self.listeners))
        user_gids = {listener.user_gid for listener in self.listeners}
        latest, news = await _news(self._position, projects, user_gids)
        for event in news:
            begins = False
            if event.project_gid is not None and event.data_type != "jobs":
                readers = await _readers(event.project_gid)
                for listener in self.listeners:
                    is_reader = listener.user_gid in readers
                    begins |= listener.set_membership(event.project_gid, is_reader)
            self._hand_to_listeners(event)
            self._position = event.cursor
            if begins:
                # The rest was read for fewer projects than are listened to now: read it again.
                return
        self._position = latest

    def _hand_to_listeners(self, event: Event) -> None:
        line = None
        for listener in self.listeners:
            if listener.wants(event):
                line = line or line_of(event)
                listener.put(line)
            if event.data_type == "cc.users" and event.user_gid == listener.user_gid:
                listener.user_changed.set()


feed = Feed()
