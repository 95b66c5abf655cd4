from argparse import ArgumentParser
from typing import Any

from backups.management.restoring import RestoringCommand
from backups.services import restorable_version
from projects.management.lookup import PROJECT_HELP, find_active_project


class Command(RestoringCommand):
    help = (
        "Puts a project's database back to one of its versions. What is in it now is kept as a"
        " version first, to which `undo` goes back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help=PROJECT_HELP)
        parser.add_argument("version", type=int)
        self.add_restore_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        project = find_active_project(options["project"])
        self.restore(restorable_version(project, options["version"]), options)
