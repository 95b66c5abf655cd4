import json
from argparse import ArgumentParser
from typing import Any

from jobs.models import Job
from projects.management.base import ServiceCommand, iso, table
from projects.management.lookup import PROJECT_HELP, find_project

LATEST = 50
TITLES = ("JOB", "PROJECT", "KIND", "STATUS", "DONE", "ASKED", "ENDED", "ERROR")


class Command(ServiceCommand):
    help = f"Lists the latest {LATEST} jobs, of one project or of all, newest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", nargs="?", help=PROJECT_HELP)
        parser.add_argument("--all", action="store_true", help=f"not only the latest {LATEST}")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, project: str | None, **options: Any) -> None:
        found = Job.objects.select_related("project")
        if project is not None:
            found = found.filter(project=find_project(project))
        jobs = list(found if options["all"] else found[:LATEST])
        if options["as_json"]:
            told = [{"job.token": str(job.token), **job.wire()} for job in jobs]
            self.stdout.write(json.dumps({"jobs": told}))
        else:
            self.stdout.write(table(TITLES, map(_row, jobs)))


def _row(job: Job) -> tuple[object, ...]:
    return (
        job.token,
        job.project.name,
        job.kind,
        job.status,
        f"{job.percent}%",
        iso(job.created_on),
        iso(job.ended_on),
        job.error["info"].get("reason", job.error["message"]) if job.error else "",
    )
