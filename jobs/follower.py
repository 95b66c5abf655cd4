"""Reads the event log as it grows: for commands on the machine, which may see everything."""

import time
from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import DatabaseError

from jobs import bell, events
from jobs.errors import CursorUnknown
from jobs.models import Event, Job
from jobs.waiting import Exit, Unsuccessful

# How often the log is looked at when nothing has rung the bell.
POLL_SECONDS = 1.0


class Follower:
    """A place in the log: what comes after it, of these projects or (None) of all."""

    def __init__(self, cursor: int, projects: Collection[UUID] | None = None) -> None:
        self.cursor = cursor
        self.projects = projects
        self.bell = bell.Bell(bell.FEEDS)

    def close(self) -> None:
        self.bell.close()

    def news(self, seconds: float) -> list[Event]:
        """The events since the last call; waits for the first, at most this long.

        Raises CursorUnknown when not all of them can be told.
        """
        deadline = time.monotonic() + seconds
        while True:
            if found := self._read():
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                return []
            self.bell.wait(min(left, POLL_SECONDS))

    def _read(self) -> list[Event]:
        latest = events.latest_cursor()
        if latest == self.cursor:
            return []
        after = Event.objects.filter(cursor__gt=self.cursor, cursor__lte=latest).order_by("cursor")
        if self.projects is not None:
            after = after.filter(project_gid__in=self.projects)
        found = list(after[: events.PAGE])
        # Checked after the reading: what was trimmed meanwhile can't be missed unnoticed.
        events.check_cursor(self.cursor)
        # What concerns others is passed over too, or the place would grow too old.
        self.cursor = found[-1].cursor if len(found) == events.PAGE else latest
        return found


class JobNews:
    """The news of one job, from the log."""

    def __init__(self, cursor: int, job: Job) -> None:
        self.job = job
        self.follower = Follower(cursor, [job.project.gid])

    def close(self) -> None:
        self.follower.close()

    def news(self, seconds: float) -> list[dict[str, Any]]:
        """The job as each event since the last call tells it. Raises Unsuccessful."""
        try:
            found = self.follower.news(seconds)
        except DatabaseError as error:
            raise Unsuccessful(f"Savepoint's own database: {error}", Exit.NO_ANSWER) from error
        except CursorUnknown:
            # The log is another one now. The job's row tells what it would have told last.
            self.follower.cursor = events.latest_cursor()
            self.job.refresh_from_db()
            return [self.job.wire()]
        token = str(self.job.token)
        return [event.data for event in found if event.data_key == token and event.data]
