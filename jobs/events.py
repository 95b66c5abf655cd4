"""The event log: what happened, in the order in which it became visible.

A reader that asks for what is after its cursor must never find later an event with a smaller one.
So the cursor comes from a row that each writer updates last in a short transaction: its lock lasts
until the commit, and commits happen in the order of cursors.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone

from jobs import bell
from jobs.errors import CursorUnknown
from jobs.models import Event, EventLog

PAGE = 1000


@dataclass(frozen=True)
class Draft:
    """An event to be, without its cursor."""

    action: str
    data_type: str
    data_key: str
    project_gid: UUID | None = None
    user_gid: UUID | None = None
    data: dict[str, Any] | None = None


def record(drafts: Iterable[Draft]) -> None:
    """Append events in this order. Make it the last thing that a transaction does."""
    drafts = list(drafts)
    if not drafts:
        return
    now = timezone.now()
    with transaction.atomic():
        log = EventLog.objects.filter(pk=1)
        if not log.update(last_cursor=F("last_cursor") + len(drafts)):
            EventLog.objects.get_or_create(pk=1)
            log.update(last_cursor=F("last_cursor") + len(drafts))
        last = log.values_list("last_cursor", flat=True).get()
        Event.objects.bulk_create(
            Event(
                cursor=last - len(drafts) + number,
                action=draft.action,
                data_type=draft.data_type,
                data_key=draft.data_key,
                data=draft.data,
                project_gid=draft.project_gid,
                user_gid=draft.user_gid,
                created_on=now,
            )
            for number, draft in enumerate(drafts, start=1)
        )
        transaction.on_commit(_ring_once, robust=True)


def _ring_once() -> None:
    bell.ring(bell.FEEDS)


def record_change(
    *,
    action: str,
    data_type: str,
    data_key: str,
    project_gid: UUID | None,
    user_gid: UUID | None,
) -> None:
    """Append one event of a thing that clients fetch anew by its key."""
    record([Draft(action, data_type, data_key, project_gid, user_gid)])


def project_changed(project_gid: UUID) -> Draft:
    """Says that a project's entity, its list of versions included, is another one now."""
    return Draft("UPDATE", "cc.projects", str(project_gid), project_gid=project_gid)


def latest_cursor() -> int:
    """The cursor of the newest event; 0 before the first."""
    return EventLog.objects.filter(pk=1).values_list("last_cursor", flat=True).first() or 0


def check_cursor(cursor: int) -> None:
    """Raise CursorUnknown if events after this cursor can't all be told from the log."""
    log = EventLog.objects.filter(pk=1).first() or EventLog()
    if not log.trimmed_cursor <= cursor <= log.last_cursor:
        raise CursorUnknown


def events_after(
    cursor: int, *, project_gids: Iterable[UUID], user_gids: Iterable[UUID]
) -> QuerySet[Event]:
    """The events after the cursor that concern these projects or these users, in order."""
    concerned = Q(project_gid__in=list(project_gids)) | Q(user_gid__in=list(user_gids))
    return Event.objects.filter(concerned, cursor__gt=cursor).order_by("cursor")


def wire_event(event: Event) -> dict[str, Any]:
    """The event as clients get it."""
    wire = {
        "type": "cc",
        "cursor": event.cursor,
        "action": event.action,
        "data_type": event.data_type,
        "data_key": event.data_key,
    }
    if event.data is not None:
        wire["data"] = event.data
    return wire


def trim() -> int:
    """Delete the events that are older than the log keeps them; return how many."""
    horizon = timezone.now() - timedelta(days=settings.EVENTS_KEEP_DAYS)
    last = Event.objects.filter(created_on__lt=horizon).aggregate(last=Max("cursor"))["last"]
    if last is None:
        return 0
    with transaction.atomic():
        # First the mark, then the rows: no reader can take a log with a hole for a whole one.
        EventLog.objects.filter(pk=1, trimmed_cursor__lt=last).update(trimmed_cursor=last)
        return Event.objects.filter(cursor__lte=last).delete()[0]
