import json
import select
import sys
from argparse import ArgumentParser
from contextlib import closing
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.db import OperationalError

from jobs.errors import CursorUnknown
from jobs.events import latest_cursor, wire_event
from jobs.follower import POLL_SECONDS, Follower
from jobs.models import Event
from jobs.progress import percent_of
from projects.management.base import ServiceCommand, shown
from projects.management.lookup import PROJECT_HELP, find_project
from projects.models import Project


class Command(ServiceCommand):
    help = "Follows the events of these projects, or of all and everyone, until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("projects", nargs="*", metavar="project", help=PROJECT_HELP)
        parser.add_argument(
            "--cursor", type=int, metavar="N", help="first what came after N (default: from now on)"
        )
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="a line of JSON for each event"
        )

    def handle(
        self, *args: Any, projects: list[str], cursor: int | None, as_json: bool, **options: Any
    ) -> None:
        gids = {find_project(project).gid for project in projects} or None
        begin = latest_cursor() if cursor is None else cursor
        with closing(Follower(begin, gids)) as follower:
            self.stderr.write(f"watching from cursor {begin}; Ctrl-C ends it", self.style.NOTICE)
            try:
                self._watch(follower, as_json)
            except KeyboardInterrupt:
                return
            except CursorUnknown as error:
                reason = f"the log does not know the cursor {follower.cursor}; it stands at"
                raise CommandError(f"{reason} {latest_cursor()}") from error
            except OperationalError as error:
                reason = f"Savepoint's own database: {error}"
                raise CommandError(f"{reason}; go on with --cursor {follower.cursor}") from error

    def _watch(self, follower: Follower, as_json: bool) -> None:
        names: dict[UUID, str] = {}
        while not _is_closed():
            for event in follower.news(POLL_SECONDS):
                line = json.dumps(wire_event(event)) if as_json else _line(event, names)
                self.stdout.write(line)
            self.stdout.flush()


def _is_closed() -> bool:
    """Whether nobody reads the output any more."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        return False  # not a file of the system's: it can't be closed by others
    return any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll(0))


def _line(event: Event, names: dict[UUID, str]) -> str:
    when = event.created_on.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if event.data_type == "jobs" and event.data:
        what = f"{event.data['job']} {event.data['status']} {percent_of(event.data)}%"
        if error := event.data["info"].get("error"):
            what += f" {error['info'].get('reason', error['message'])}"
        if damage := event.data["info"].get("damage"):
            what += f" damage: {damage}"
    else:
        what = f"{event.data_type} {event.action}"
    parts = [when, str(event.cursor), _name(event.project_gid, names), what, event.data_key]
    return "  ".join(shown(part) for part in parts if part)


def _name(gid: UUID | None, names: dict[UUID, str]) -> str:
    """The project's name as it was when it was first needed; the gid of one that is gone."""
    if gid is None:
        return ""
    if gid not in names:
        found = Project.objects.filter(gid=gid).values_list("name", flat=True).first()
        names[gid] = found or str(gid)
    return names[gid]
