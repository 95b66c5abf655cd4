import json
import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from projects.management.base import ServiceCommand, iso, shown
from projects.management.lookup import PROJECT_HELP, find_active_project
from projects.models import Membership
from projects.services import create_api_key

DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def end_of(text: str) -> datetime:
    """The moment that is meant: for a date the end of its day; in UTC unless it says otherwise."""
    try:
        if DATE.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ArgumentTypeError(f"{text!r} is no date such as 2026-12-31") from error


class Command(ServiceCommand):
    help = (
        "Makes an API key to a project and prints it, this once: the key alone on standard output,"
        " what it is for on standard error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help=PROJECT_HELP)
        parser.add_argument("name", help="what the key is for: backups and logs show it")
        parser.add_argument(
            "--role",
            default=Membership.Role.MEMBER,
            choices=[Membership.Role.MEMBER, Membership.Role.VIEWER],
            help="a member may back up and restore, a viewer only look (default: member)",
        )
        parser.add_argument(
            "--expires",
            type=end_of,
            metavar="DATE",
            help="the key's last day (UTC), or a moment such as 2026-12-31T18:00+01:00",
        )
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(
        self,
        *args: Any,
        project: str,
        name: str,
        role: str,
        expires: datetime | None,
        **options: Any,
    ) -> None:
        made = create_api_key(
            project=find_active_project(project), name=name, role=role, expires_on=expires
        )
        key = made.api_key
        if options["as_json"]:
            told = {
                "project": str(key.project.gid),
                "name": key.user.name,
                "role": role,
                "prefix": key.prefix,
                "expires_on": expires.timestamp() if expires else None,
                "api_key": made.text,
            }
            self.stdout.write(json.dumps(told))
            return
        self.stderr.write(
            f"API key {key.prefix} ({shown(key.user.name)}) to {shown(key.project.name)}, {role},"
            f" expires {iso(expires) if expires else 'never'}. It is shown this once:",
            self.style.NOTICE,
        )
        self.stdout.write(made.text)
