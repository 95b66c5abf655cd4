from argparse import ArgumentParser
from typing import Any

from backups.management.restoring import RestoringCommand
from backups.services import latest_safety_version
from projects.management.lookup import PROJECT_HELP, find_active_project


class Command(RestoringCommand):
    help = (
        "Puts a project's database back to what it held before its newest restore. Once more, and"
        " that is undone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help=PROJECT_HELP)
        self.add_restore_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        project = find_active_project(options["project"])
        self.restore(latest_safety_version(project), options)
