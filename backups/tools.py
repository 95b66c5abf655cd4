"""What reads and writes the project databases: the version, the package that brings it, and the
faults that are known of it."""

from importlib import metadata
from typing import NamedTuple

from backups.engines.sqlite_connection import SQLITE_VERSION

# As the API reports it.
TOOLS = {"sqlite": SQLITE_VERSION}

# Packages that bring the engine's SQLite. All install into the same folder.
_PACKAGES = ("arize-phoenix-sqlean", "sqlean.py")


class _Fault(NamedTuple):
    """One that does harm in what Savepoint does, and the first SQLite without it."""

    fixed_in: tuple[int, ...]
    harm: str


_FAULTS = (
    _Fault(
        (3, 51, 3),
        "a commit of the application's at the moment of a checkpoint can leave its database"
        " damaged (the WAL-reset bug)",
    ),
    _Fault(
        (3, 53, 2),
        "a database made to do harm can overwrite memory by its full-text index"
        " (CVE-2026-11822, CVE-2026-11824)",
    ),
)


def known_faults(sqlite_version: str) -> list[str]:
    """The known faults of a SQLite of this version, each in half a sentence."""
    version = tuple(int(number) for number in sqlite_version.split("."))
    return [fault.harm for fault in _FAULTS if version < fault.fixed_in]


def sqlite_packages() -> list[str]:
    """Name and version of each installed package with the engine's SQLite: one, if all is well."""
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return found
