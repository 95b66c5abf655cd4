"""Whether a version's content is a sound SQLite database, of which its facts are true."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backups.engines.interface import Content, Progress
from backups.engines.sqlite_check import RestoreProgress, integrity_check
from backups.engines.sqlite_connection import Connection
from backups.engines.sqlite_copy import content_copy, opened_copy
from backups.engines.sqlite_facts import database_facts
from backups.errors import DatabaseDamaged
from backups.facts import Findings, findings_of, passed_for_sound

# Much longer than a snapshot counts, so that what it has counted is counted here too.
_FACTS_BUDGET = 10.0
# The journal mode is not among them: it is the connection's as much as the file's.
_COMPARED = ("encoding", "auto_vacuum", "user_version", "application_id", "schema_version")


def examine(
    content: Content, facts: Mapping[str, Any], *, scratch: Path | None, progress: Progress
) -> Findings:
    """See `Engine.examine`; by a copy in `scratch`, or in the system's folder."""
    steps = RestoreProgress(progress, content.units)
    with content_copy(content, scratch, steps, prefix="savepoint-verify-") as copy:
        if content.units and passed_for_sound(facts):
            with opened_copy(copy) as connection:
                integrity_check(connection, steps.tick)
                _check_facts(connection, facts)
    steps.done()
    return findings_of(facts)


def _check_facts(connection: Connection, facts: Mapping[str, Any]) -> None:
    """Raise DatabaseDamaged when the database says otherwise of itself than it did."""
    found = database_facts(connection, budget=_FACTS_BUDGET)
    for name in _COMPARED:
        if name in facts and facts[name] != found[name]:
            raise DatabaseDamaged(f"the {name} of the content is {found[name]}, not {facts[name]}")
    tables: Mapping[str, int | None] = facts.get("tables", {})
    if tables.keys() != found["tables"].keys():
        raise DatabaseDamaged("the content has other tables than the database had")
    for name, rows in tables.items():
        counted = found["tables"][name]
        # Either side may have been short of time.
        if rows is not None and counted is not None and rows != counted:
            raise DatabaseDamaged(f"the table {name[:100]!r} has {counted} rows, not {rows}")
