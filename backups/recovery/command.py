"""The command line of a recovery: looks into a storage folder, and brings versions back.

Knows no Django: when settings or Savepoint's own database are gone, this still works.
"""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

from backups.errors import BackupsError, StorageError
from backups.recovery.database import TargetRefused
from backups.recovery.keys import KeysMissing, keyring_from
from backups.recovery.report import listing, restored_text, shown
from backups.recovery.restore import Restored, restore
from backups.recovery.survey import projects_in, versions_in
from backups.store.local import LocalStore
from backups.store.project import ProjectStore
from backups.store.seal import Keyring

HELP = (
    "Restores a version from the storage folder and its key alone into a new SQLite file, or lists"
    " what is there. Needs no database of Savepoint's, no settings and no running service."
)


class Exit(IntEnum):
    """How it ends; see docs/commands.md. 2 is argparse's."""

    WELL = 0
    REFUSED = 1
    USAGE = 2
    FAILED = 3
    DAMAGED = 5
    INTERRUPTED = 130


def add_arguments(parser: ArgumentParser) -> None:
    """The flags, also for a front that parses them itself."""
    parser.add_argument("store", type=Path, help="the folder that holds the stored versions")
    parser.add_argument("project", nargs="?", help="the project's gid: the name of its folder")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--version",
        type=_version,
        metavar="N",
        dest="number",
        help="default: the newest that can be restored",
    )
    which.add_argument(
        "--manifest",
        metavar="NAME",
        help="the name of a version's manifest, where --list shows several of one version",
    )
    parser.add_argument("--to", type=Path, metavar="FILE", help="where to write the database")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    parser.add_argument("--list", action="store_true", dest="only_list", help="what is there")
    parser.add_argument(
        "--key-file",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="holds the key, or keys; may be repeated (default: STORE_KEYS, or the key folder's"
        " store.key)",
    )
    parser.add_argument(
        "--json", action="store_true", dest="as_json", help="one JSON object on standard output"
    )


def main(arguments: Sequence[str], *, prog: str, environment: Mapping[str, str]) -> int:
    """Run the command line; returns the exit code. For `environment` see `keyring_from`."""
    parser = ArgumentParser(prog=prog, description=HELP)
    add_arguments(parser)
    try:
        code = run(vars(parser.parse_args(arguments)), environment)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has had enough. Python flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.WELL
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    return code


def run(options: Mapping[str, Any], environment: Mapping[str, str]) -> Exit:
    """Do what the flags say; returns how it ended."""
    if not options["only_list"] and not (options["project"] and options["to"]):
        return _ended("give a project and --to FILE, or --list", Exit.USAGE)
    try:
        keyring = keyring_from(options["key_file"], environment)
        gids = _gids(options["store"], options["project"])
    except (KeysMissing, StorageError) as error:
        return _ended(error, Exit.REFUSED)
    if options["only_list"]:
        return _list(options, keyring, gids)
    try:
        restored = restore(
            _store(options["store"], keyring, gids[0]),
            options["to"],
            version=options["number"],
            manifest=options["manifest"],
            replace=options["force"],
            say=_say,
        )
    except TargetRefused as error:
        return _ended(error, Exit.REFUSED)
    except BackupsError as error:
        return _ended(error, Exit.FAILED)
    return _tell(restored, as_json=options["as_json"])


def _list(options: Mapping[str, Any], keyring: Keyring, gids: Sequence[str]) -> Exit:
    found = {}
    code = Exit.WELL
    for gid in gids:
        try:
            found[gid] = list(versions_in(_store(options["store"], keyring, gid)))
        except StorageError as error:
            code = _ended(f"{gid}: {error}", Exit.FAILED)  # must not hide the others
    sys.stdout.write(listing(found, as_json=options["as_json"]) + "\n")
    whole = all(one.is_whole for versions in found.values() for one in versions)
    return code if whole else Exit.FAILED


def _tell(restored: Restored, *, as_json: bool) -> Exit:
    sys.stdout.write(restored_text(restored, as_json=as_json) + "\n")
    findings = restored.findings
    if findings.unchecked:
        _say(f"warning: SQLite could not check all of the file: {shown(findings.unchecked)}")
    if not findings.damage:
        return Exit.WELL
    _say(
        "warning: the file holds what was backed up, bit for bit, but as a database it is damaged:"
        f" {shown(findings.damage)}"
    )
    return Exit.DAMAGED


def _gids(folder: Path, wanted: str | None) -> list[str]:
    """The projects that are asked for. Raises StorageError when there is none."""
    gids = projects_in(folder)
    if not gids:
        raise StorageError(f"{folder} holds no stored versions")
    if wanted is None:
        return gids
    for gid in (wanted, wanted.lower()):
        if gid in gids:
            return [gid]
    raise StorageError(f"{folder} holds no versions of {wanted}, but of: {', '.join(gids)}")


def _store(folder: Path, keyring: Keyring, gid: str) -> ProjectStore:
    return ProjectStore(LocalStore(folder), keyring, gid)


def _version(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError(f"{text!r} is no version: they are numbered from 1 on")
    return number


def _ended(reason: object, code: Exit) -> Exit:
    _say(str(reason))
    return code


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
