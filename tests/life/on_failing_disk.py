"""What Savepoint's core makes of a database of which some bytes can't be read. A process of its
own, into which the failing disk is loaded: python -m tests.life.on_failing_disk FOLDER

In FOLDER lie `live.db`, which fails, and `version.db`. Prints by operation what came of it, as JSON.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backups.engines.sqlite import SqliteEngine
from backups.errors import BackupsError
from backups.pipeline import VersionLabel, restore, take, take_snapshot

from ..backups.engines.sqlite_files import ignore
from ..backups.versions import small_project


def main(folder: Path) -> None:
    """Try each operation, and print what it said."""
    project = small_project(unit=1024)
    live = SqliteEngine(folder / "live.db", check_seconds=60)
    version = take(
        SqliteEngine(folder / "version.db", check_seconds=60),
        project,
        VersionLabel(1, "whole", "life", 0.0),
        parent_key=None,
        progress=ignore,
    )

    def backup(engine: SqliteEngine, *, keep_damaged: bool) -> dict[str, Any]:
        taken = take(
            engine,
            project,
            VersionLabel(2, "live", "life", 0.0),
            parent_key=None,
            keep_damaged=keep_damaged,
            progress=ignore,
        )
        return dict(taken.facts)

    def imported(*, keep_damaged: bool) -> dict[str, Any]:
        upload = SqliteEngine(folder / "live.db", private=True, check_seconds=60)
        upload.check(ignore)
        return backup(upload, keep_damaged=keep_damaged)

    def put_back(*, safety: bool) -> None:
        def keep(snapshot: Any) -> None:
            label = VersionLabel(3, "kept", "life", 0.0)
            take_snapshot(snapshot, project, label, parent_key=None, progress=ignore)

        restore(
            live,
            project,
            version.manifest_key,
            keep=(lambda snapshot, progress: keep(snapshot)) if safety else None,
            before_commit=ignore,
            progress=ignore,
        )

    operations: dict[str, Callable[[], Any]] = {
        "backup": lambda: backup(live, keep_damaged=False),
        "keep_damaged": lambda: backup(live, keep_damaged=True),
        "import": lambda: imported(keep_damaged=False),
        "import, keep_damaged": lambda: imported(keep_damaged=True),
        "restore": lambda: put_back(safety=True),
        "no safety": lambda: put_back(safety=False),
    }
    told = {}
    for name, operation in operations.items():
        try:
            told[name] = {"did": str(operation())}
        except BackupsError as error:
            told[name] = {"error": type(error).__name__, "reason": error.reason}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
