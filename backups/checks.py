"""Wrong set-ups of keys, sizes and libraries, found by `manage.py check` and at every start."""

import os
import stat
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, register
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from backups.engines.fence import fences
from backups.store.seal import Keyring
from backups.tools import TOOLS, known_faults, sqlite_packages
from projects.databases import MANAGED, seal_address


@register()
def check_keys(**kwargs: Any) -> list[CheckMessage]:
    """The keys must be keys; what is wrong with them is told without them."""
    found: list[CheckMessage] = []
    try:
        Keyring.parse(settings.STORE_KEYS)
    except ValueError as error:
        found.append(Error(f"STORE_KEYS: {error}", id="backups.E001"))
    try:
        seal_address(MANAGED, uuid4())
    except ImproperlyConfigured as error:
        found.append(Error(str(error), id="backups.E002"))
    return found


@register()
def check_sizes(**kwargs: Any) -> list[CheckMessage]:
    """Blocks fill frames, frames fill packs."""
    block, frame, pack = settings.BLOCK_BYTES, settings.FRAME_BYTES, settings.PACK_BYTES
    if 0 < block <= frame <= pack:
        return []
    return [
        Error(
            "BLOCK_BYTES, FRAME_BYTES and PACK_BYTES must be positive and not fall in this order",
            id="backups.E003",
        )
    ]


@register()
def check_transfers(**kwargs: Any) -> list[CheckMessage]:
    """There must be at least one slot for each direction, and time to send something in it."""
    positive = ("DOWNLOADS", "UPLOADS", "STALL_SECONDS", "TRANSFER_SECONDS")
    if all(getattr(settings, name) > 0 for name in positive) and settings.TRANSFER_RATE >= 0:
        return []
    text = f"{', '.join(positive)} must be above 0, TRANSFER_RATE at least 0"
    return [Error(text, id="backups.E005")]


@register()
def check_days(**kwargs: Any) -> list[CheckMessage]:
    """A number of days below zero would have everything verified without end."""
    if settings.VERIFY_DAYS >= 0:
        return []
    return [Error("VERIFY_DAYS must be 0, for never, or more", id="backups.E004")]


@register()
def check_sqlite(**kwargs: Any) -> list[CheckMessage]:
    """The SQLite that writes other people's databases must be free of known faults."""
    found: list[CheckMessage] = []
    if faults := known_faults(TOOLS["sqlite"]):
        found.append(
            CheckWarning(
                f"SQLite {TOOLS['sqlite']}, which reads and writes the project databases, has"
                f" faults that newer versions fix: {'; '.join(faults)}",
                hint="Install the packages that requirements.txt names.",
                id="backups.W001",
            )
        )
    if len(packages := sqlite_packages()) > 1:
        found.append(
            CheckWarning(
                f"{' and '.join(packages)} install SQLite into the same folder: removing one"
                " deletes files of the other",
                hint="Remove both, then install the packages that requirements.txt names.",
                id="backups.W002",
            )
        )
    return found


@register()
def check_roots(**kwargs: Any) -> list[CheckMessage]:
    """Who may write where project databases lie can exchange them."""
    if not settings.SQLITE_ROOTS:
        return []
    found: list[CheckMessage] = [
        Error(
            f"SQLITE_ROOTS: all users of the machine can exchange what lies in {root}",
            hint='Take the right away (chmod o-w), or set SQLITE_ROOTS_SHARED; see "Where project'
            ' databases lie" in docs/security.md.',
            id="backups.E006",
        )
        for root in settings.SQLITE_ROOTS
        if not settings.SQLITE_ROOTS_SHARED and _is_shared(root)
    ]
    if not fences():
        found.append(
            CheckWarning(
                "this machine's kernel has no Landlock, which keeps work on a project's database to"
                " its folder; only looks before and after are left",
                hint="Trust all who may write in SQLITE_ROOTS, or use Linux 5.13 or newer with"
                " Landlock switched on.",
                id="backups.W003",
            )
        )
    return found


def _is_shared(root: Path) -> bool:
    """Whether all users may make or exchange files there, or the folder itself."""
    for folder in (root, *root.parents):
        try:
            mode = os.stat(folder).st_mode
        except OSError:
            continue  # it is not there yet, or can't be used anyway
        # With the sticky bit, they can't rename what is another's.
        if mode & stat.S_IWOTH and (folder == root or not mode & stat.S_ISVTX):
            return True
    return False


def tell_sqlite(**kwargs: Any) -> list[CheckMessage]:
    """Report which SQLite is used, for `manage.py check` alone: other commands need not."""
    packages = " and ".join(sqlite_packages()) or "a package of unknown name"
    return [
        Info(
            f"SQLite {TOOLS['sqlite']} of {packages} reads and writes the project databases",
            hint='"Which SQLite" in docs/architecture.md says how to bring in another.',
            id="backups.I001",
        )
    ]
