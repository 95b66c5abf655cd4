import json
from argparse import ArgumentParser
from typing import Any

from projects.databases import MANAGED
from projects.management.base import ServiceCommand, shown
from projects.management.lookup import USER_HELP, find_person
from projects.services import create_project


class Command(ServiceCommand):
    help = "Makes a project and, unless it has one elsewhere, its database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--owner", required=True, metavar="USER", help=USER_HELP)
        parser.add_argument(
            "--address",
            default=MANAGED,
            help="sqlite:///absolute/path of an existing database below SQLITE_ROOTS"
            f" (default: {MANAGED}, a new one that Savepoint keeps)",
        )
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, name: str, owner: str, address: str, **options: Any) -> None:
        project = create_project(name=name, owner=find_person(owner), address=address)
        if options["as_json"]:
            told = {"project": str(project.gid), "name": project.name}
            self.stdout.write(json.dumps(told | {"owner": str(project.owner.gid)}))
        else:
            self.stdout.write(f"{project.gid}  {shown(project.name)}")
