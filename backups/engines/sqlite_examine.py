"""What SQLite says of a version's content, and whether what the version says of it is true."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backups.engines.interface import Content, Progress
from backups.engines.sqlite_check import Checked
from backups.engines.sqlite_child import looked
from backups.engines.sqlite_copy import check_readable, content_copy
from backups.engines.sqlite_progress import RestoreProgress
from backups.engines.sqlite_standins import stand_in
from backups.errors import DatabaseDamaged, NotADatabase
from backups.facts import Findings, findings_of

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
        known = findings_of(facts)
        found = known
        if content.units and not known.damage:
            found = _examined(copy, facts, steps)
    steps.done()
    return found


def _examined(copy: Path, facts: Mapping[str, Any], steps: RestoreProgress) -> Findings:
    try:
        checked, told = looked(copy, steps.tick, thorough=True, facts_budget=_FACTS_BUDGET)
        if checked.damage:
            check_readable(copy)
        if checked.skipped and not checked.damage:
            _check_pages(copy, checked, steps)
    except (DatabaseDamaged, NotADatabase) as error:
        check_readable(copy)
        # The content is what was backed up all the same: this is how the database was.
        return Findings(damage=error.reason)
    if told:
        _compare(facts, told)
    return findings_of(checked.facts())


def _check_pages(copy: Path, checked: Checked, steps: RestoreProgress) -> None:
    """Check the pages that the first check could not reach. Spoils the copy."""
    stand_in(copy, checked.skipped)
    pages, _ = looked(copy, steps.tick, thorough=False)
    checked.damage += pages.damage
    checked.structure = pages.structure


def _compare(facts: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Raise DatabaseDamaged when the database says otherwise of itself than it did."""
    for name in _COMPARED:
        if name in facts and facts[name] != found[name]:
            raise DatabaseDamaged(f"the {name} of the content is {found[name]}, not {facts[name]}")
    if "tables" not in facts:
        return
    tables: Mapping[str, int | None] = facts["tables"]
    names = tables.keys() & found["tables"].keys()
    whole = len(tables) + facts.get("tables_more", 0)
    if whole != len(found["tables"]) + found.get("tables_more", 0) or (
        len(names) < min(len(tables), len(found["tables"]))
    ):
        raise DatabaseDamaged("the content has other tables than the database had")
    for name in sorted(names):
        rows, counted = tables[name], found["tables"][name]
        # Either side may have been short of time.
        if rows is not None and counted is not None and rows != counted:
            raise DatabaseDamaged(f"the table {name[:100]!r} has {counted} rows, not {rows}")
