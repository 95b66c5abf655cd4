import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from backups.adoption import Adoption, OwnerNeeded, adopt, gids_in_store, planned
from backups.errors import StorageError
from backups.findings import as_fields
from backups.management.base import BackupsCommand
from jobs.errors import ProjectBusy
from jobs.waiting import Exit, warnings_of
from projects.errors import NotAllowed
from projects.management.base import shown
from projects.management.lookup import USER_HELP, find_person

REASONS: dict[type[Exception], str] = {
    OwnerNeeded: "it is not listed here; name its owner with --owner",
    ProjectBusy: "a job of it runs; try again when it has ended",
}


class Command(BackupsCommand):
    help = (
        "Lists again what the storage holds: after Savepoint's own database was lost, or set back."
        " What is listed or was deleted stays as it is, and so does the storage."
    )
    refusals = (*BackupsCommand.refusals, StorageError)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", metavar="GID", help="this one only (default: all)")
        parser.add_argument(
            "--owner", metavar="USER", help=f"owns the projects that are missing: {USER_HELP}"
        )
        parser.add_argument("--dry-run", action="store_true", help="only tell what would be done")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = find_person(options["owner"]) if options["owner"] else None
        gids = gids_in_store()
        if options["project"]:
            gids = [gid for gid in gids if gid == options["project"].lower()]
            if not gids:
                raise CommandError("the storage has no versions of this project")
        told, refused = [], {}
        for gid in gids:
            try:
                adoption = planned(gid) if options["dry_run"] else adopt(gid, owner=owner)
            except NotAllowed:
                reason = "it is deleted; undelete it first"
                if options["project"]:
                    refused[gid] = reason
                else:
                    self.stderr.write(f"{gid} is passed over: {reason}")
                continue
            except (OwnerNeeded, ProjectBusy, StorageError) as error:
                # Others can be listed all the same.
                refused[gid] = REASONS.get(type(error), str(error))
                continue
            told.append(_told(adoption))
            if not options["as_json"]:
                self._show(adoption, dry_run=options["dry_run"])
        if options["as_json"]:
            self.stdout.write(json.dumps({"projects": told, "refused": refused}))
        if not refused and any(one["damaged"] for one in told):
            raise CommandError("damaged versions were not listed", returncode=Exit.FAILED)
        if refused:
            lines = "".join(f"\n  {gid}: {shown(reason)}" for gid, reason in refused.items())
            raise CommandError(f"nothing was listed of:{lines}", returncode=Exit.REFUSED)

    def _show(self, adoption: Adoption, *, dry_run: bool) -> None:
        name = shown(adoption.project.name) if adoption.project else "a new project"
        deed = "would be listed" if dry_run else "listed"
        numbers = ", ".join(str(one.version) for one in adoption.versions) or "none"
        self.stdout.write(f"{adoption.gid}  {name}: versions {deed}: {numbers}")
        for one in adoption.damaged:
            fate = "is not listed, and its objects are kept until it is deleted"
            self.stderr.write(f"  version {one.version} {fate}: {shown(one.damage)}")
        for one in adoption.unreadable:
            reason = f"it can't be read now, try again: {shown(one.trouble)}"
            self.stderr.write(f"  version {one.version} is not listed: {reason}")
        for one in adoption.versions:
            for warning in warnings_of({"version": one.version, **as_fields(one.findings)}):
                self.stderr.write(f"  warning: {shown(warning)}")


def _told(adoption: Adoption) -> dict[str, Any]:
    return {
        "project": adoption.gid,
        "versions": [one.version for one in adoption.versions],
        "damaged": [{"version": one.version, "reason": one.damage} for one in adoption.damaged],
        "unreadable": [
            {"version": one.version, "reason": one.trouble} for one in adoption.unreadable
        ],
    }
