"""What the facts of a version say about the soundness of its database, told the same everywhere."""

from collections.abc import Mapping
from typing import Any

DAMAGE = "damage"
"""The fact that says how the database was damaged when a version of it was kept all the same."""

STRUCTURE_CHECKED = "structure_checked"
"""The fact that says whether the structure was checked: false when nobody has looked; absent when
there was no time to look at all of it."""


def is_unchecked(facts: Mapping[str, Any]) -> bool:
    """Whether nobody looked if the database was sound, when a version of it was kept."""
    return facts.get(STRUCTURE_CHECKED) is False


def passed_for_sound(facts: Mapping[str, Any]) -> bool:
    """Whether the database passed for sound when it was backed up. Else its content is what was
    to be kept, with whatever was wrong in it, and nothing can be held against the version."""
    return not facts.get(DAMAGE) and not is_unchecked(facts)
