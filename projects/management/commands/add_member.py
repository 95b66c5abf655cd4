import json
from argparse import ArgumentParser
from typing import Any

from projects.management.base import ServiceCommand, shown
from projects.management.lookup import PROJECT_HELP, USER_HELP, find_active_project, find_person
from projects.models import Membership
from projects.services import set_member


class Command(ServiceCommand):
    help = "Makes a person a member of a project, or gives a member another role."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help=PROJECT_HELP)
        parser.add_argument("user", help=USER_HELP)
        parser.add_argument(
            "--role", required=True, choices=[Membership.Role.MEMBER, Membership.Role.VIEWER]
        )
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, project: str, user: str, role: str, **options: Any) -> None:
        membership = set_member(
            project=find_active_project(project), user=find_person(user), role=role
        )
        if options["as_json"]:
            told = {
                "project": str(membership.project.gid),
                "user": str(membership.user.gid),
                "role": membership.role,
            }
            self.stdout.write(json.dumps(told))
        else:
            self.stdout.write(
                f"{shown(membership.user.username)} is a {membership.role}"
                f" of {shown(membership.project.name)}"
            )
