"""SQLite's check of a file from outside, in a process of its own: see `process`.

`looked` starts it; run as a module this is the process.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backups import errors
from backups.engines.fence import fence_for_good
from backups.engines.process import GivenUp, alive, limit, tell, told_by
from backups.engines.sqlite_check import Checked, check
from backups.engines.sqlite_copy import opened_copy
from backups.engines.sqlite_facts import database_facts
from backups.errors import SourceError

# What is told when the check was given up; see `Checked.rest`.
TOO_MUCH = (
    "what SQLite's check does not get to: it took more memory or time than a check is given, as it"
    " evaluates what the database's own definitions say"
)
_MEMORY = 1 << 30
# Processor time, much more than an honest database of that size takes.
_SECONDS, _BYTES_A_SECOND = 30, 1 << 21
_STALL_SECONDS = 30.0
_SIGN_SECONDS = 0.2


def looked(
    path: Path, tick: Callable[[], None], *, thorough: bool, facts_budget: float | None = None
) -> tuple[Checked, dict[str, Any]]:
    """What SQLite finds in a file of our own that nobody writes and that is not empty, and the
    database's facts if there is time for them (seconds) and no damage.

    `tick` is called on the way; what it raises ends the check. A check that takes too much tells so
    in `Checked.rest`. Raises SourceError.
    """
    seconds = _SECONDS + path.stat().st_size // _BYTES_A_SECOND
    wanted = json.dumps({"thorough": thorough, "facts_budget": facts_budget})
    try:
        told = told_by(
            __name__, [str(path), str(seconds), wanted], tick=tick, stall_seconds=_STALL_SECONDS
        )
    except GivenUp:
        return Checked(rest=TOO_MUCH), {}
    if "error" in told:
        kind, reason = told["error"]
        raise getattr(errors, kind)(reason)
    return Checked(**told["checked"]), told["facts"]


def _look(path: Path, *, thorough: bool, facts_budget: float | None) -> dict[str, Any]:
    last = time.monotonic()

    def tick() -> None:
        nonlocal last
        if time.monotonic() - last > _SIGN_SECONDS:
            last = time.monotonic()
            alive()

    try:
        with opened_copy(path) as connection:
            checked = check(connection, tick, thorough=thorough)
        facts: dict[str, Any] = {}
        if facts_budget is not None and not checked.damage:
            with opened_copy(path) as connection:
                facts = database_facts(connection, budget=facts_budget)
    except SourceError as error:
        return {"error": (type(error).__name__, error.reason)}
    return {"checked": asdict(checked), "facts": facts}


def main() -> None:
    """Look at the file that the arguments name."""
    path = Path(sys.argv[1])
    limit(memory=_MEMORY, seconds=int(sys.argv[2]))
    fence_for_good(path.parent)
    tell(_look(path, **json.loads(sys.argv[3])))


if __name__ == "__main__":
    main()
