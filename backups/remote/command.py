"""The flags of a backup, here or elsewhere, and the run of one elsewhere."""

import getpass
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

from backups.remote.backup import RemoteBackup
from backups.remote.server import Server
from jobs.waiting import Exit, Output, Unsuccessful, conclude, deadline_after

KEY_VARIABLE = "SAVEPOINT_API_KEY"


def system_user() -> str:
    """The name of the user of this machine who runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def positive_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def add_waiting_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="until the job has ended")
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        metavar="SECONDS",
        help="give up after so long, with exit code 4; the job goes on (default: never)",
    )
    parser.add_argument(
        "--json", action="store_true", dest="as_json", help="one JSON object on standard output"
    )


def add_label_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--name", help="the version's name (default: Backup and its number)")
    parser.add_argument(
        "--created-by",
        default=system_user(),
        metavar="TEXT",
        help="who or what makes it (default: the system user's name)",
    )


def add_damage_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--keep-damaged",
        action="store_true",
        help="take the database as it is even if it is found to be damaged",
    )


def add_backup_arguments(parser: ArgumentParser) -> None:
    add_label_arguments(parser)
    add_damage_argument(parser)
    add_waiting_arguments(parser)


def add_remote_arguments(parser: ArgumentParser, *, url_required: bool) -> None:
    remote = parser.add_argument_group("a Savepoint elsewhere")
    remote.add_argument("--url", required=url_required, help="such as https://savepoint.example")
    remote.add_argument("--project", dest="project_gid", metavar="GID", help="instead of PROJECT")
    keys = remote.add_mutually_exclusive_group()
    keys.add_argument("--api-key-file", type=Path, metavar="FILE", help="holds the API key")
    keys.add_argument(
        "--api-key",
        metavar="KEY",
        help="the API key itself. Other users of the machine can read it in the list of processes,"
        f" and shells remember it: better a file, or {KEY_VARIABLE} in the environment",
    )


def run(options: dict[str, Any], out: Output) -> None:
    """Back up a project elsewhere, as the flags say; raises Unsuccessful."""
    if options["project"] and options["project_gid"]:
        raise Unsuccessful("give the project once: as PROJECT or as --project", Exit.USAGE)
    for flag in ("name", "created_by"):
        if not _is_unicode(options[flag]):
            raise Unsuccessful(f"{flag}: is not UTF-8", Exit.USAGE)
    deadline = deadline_after(options["timeout"])
    server = Server(
        options["url"],
        _gid(options["project"] or options["project_gid"]),
        _api_key(options),
        deadline=deadline,
        say=_say,
    )
    with closing(server):
        backup = _ask(server, options)
        conclude(
            backup.asked,
            backup,
            wait=options["wait"],
            deadline=deadline,
            as_json=options["as_json"],
            out=out,
        )


def _ask(server: Server, options: dict[str, Any]) -> RemoteBackup:
    try:
        return RemoteBackup(
            server,
            created_by=options["created_by"],
            name=options["name"],
            keep_damaged=options["keep_damaged"],
        )
    except KeyboardInterrupt:
        reason = "interrupted before the server answered; a version may be made nonetheless"
        raise Unsuccessful(reason, Exit.INTERRUPTED) from None


def _gid(text: str | None) -> str:
    try:
        return str(UUID(text or ""))
    except ValueError:
        raise Unsuccessful("a project elsewhere is named by its gid", Exit.USAGE) from None


def _is_unicode(text: str | None) -> bool:
    """Whether the argument, as the shell gave it, is a text."""
    try:
        (text or "").encode()
    except UnicodeEncodeError:
        return False
    return True


def _api_key(options: dict[str, Any]) -> str:
    key: str = options["api_key"] or os.environ.get(KEY_VARIABLE, "")
    if path := options["api_key_file"]:
        try:
            key = path.read_text()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a text"
            raise Unsuccessful(f"the key file {path}: {reason}", Exit.REFUSED) from None
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise Unsuccessful("the API key has characters that no API key has", Exit.USAGE)
    if not key:
        raise Unsuccessful(
            f"there is no API key: --api-key-file FILE, or {KEY_VARIABLE} in the environment",
            Exit.USAGE,
        )
    return key


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> int:
    parser = ArgumentParser(
        prog="python -m backups.remote",
        description="Backs up a project of a Savepoint elsewhere, over HTTP.",
        allow_abbrev=False,
    )
    parser.add_argument("project", nargs="?", help="the project's gid")
    add_backup_arguments(parser)
    add_remote_arguments(parser, url_required=True)
    try:
        run(vars(parser.parse_args()), sys.stdout)
        sys.stdout.flush()
    except Unsuccessful as error:
        _say(error.reason)
        return error.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return Exit.WELL
