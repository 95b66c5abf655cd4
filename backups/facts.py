"""What the facts of a version say about the soundness of its database, told the same everywhere.

What proves a version is its content's hash. What the engine's own check says of the database is
information: it is told wherever the version is, and refuses nothing but a new version of what is
proved to be broken.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DAMAGE = "damage"
"""The fact that says how the database was damaged when a version of it was kept all the same."""

UNCHECKED = "unchecked"
"""The fact that says what could not be looked at, and why; absent when all was."""

VALUES = "values"
"""The fact that lists findings about values, such as a row that breaks a CHECK. No damage: the
application may know why."""

CHECKED_BY = "checked_by"
"""The fact that says by what the database was looked at."""

STRUCTURE_CHECKED = "structure_checked"
"""The fact that says whether all of the structure was looked at; false or absent if not."""


NOT_YET = "not looked at yet: "
"""How a text about what was unchecked begins if there was no time to look, and nothing else was in
the way."""


@dataclass(frozen=True)
class Findings:
    """What is known of the soundness of a version's database; empty texts for nothing. `values`:
    rows that break a rule of the schema, and what virtual tables say of their own content."""

    damage: str = ""
    unchecked: str = ""
    values: str = ""


def findings_of(facts: Mapping[str, Any]) -> Findings:
    """What these facts say of it. Those of older versions don't say what was unchecked."""
    damage, unchecked = facts.get(DAMAGE) or "", facts.get(UNCHECKED) or ""
    if not unchecked and not damage and not facts.get(STRUCTURE_CHECKED):
        unchecked = f"{NOT_YET}a verification checks all of it"
    listed = facts.get(VALUES)
    values = "; ".join(map(str, listed)) if isinstance(listed, list) else ""
    return Findings(str(damage), str(unchecked), values)


def is_unchecked(facts: Mapping[str, Any]) -> bool:
    """Whether the version was made without a check of all of the database's structure."""
    return facts.get(STRUCTURE_CHECKED) is False


def passed_for_sound(facts: Mapping[str, Any]) -> bool:
    """Whether the check found the database sound when it was backed up. If not, the version holds
    it with whatever was wrong in it, which is no fault of the version."""
    return not facts.get(DAMAGE) and not is_unchecked(facts)
