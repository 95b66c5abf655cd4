"""The options that a client finds in every project: their defaults, and what they may be."""

import json
import zoneinfo
from typing import Any

from projects.errors import InvalidParameters

# A list of names and a mapping from name to what is shown, in pairs: each must tell of the same.
PAIRS = {
    "orderedchannels": "channels",
    "orderedorderings": "orderings",
    "orderedfieldlists": "fieldlists",
}
MAX_BYTES = 64 * 1024
# In the database, but no place's time: one differs from machine to machine, one means "unset".
NO_ZONES = {"localtime", "Factory"}


def default_options() -> dict[str, Any]:
    """A fresh set of a project's options."""
    return {
        "languages": ["en"],
        "timezone": "UTC",
        "channels": {"default": "Default"},
        "orderedchannels": ["default"],
        "orderings": {"default": "Default"},
        "orderedorderings": ["default"],
        "fieldlists": {"default": "Default"},
        "orderedfieldlists": ["default"],
    }


def _is_timezone(name: Any) -> bool:
    return isinstance(name, str) and name in zoneinfo.available_timezones() - NO_ZONES


def checked_timezone(name: str) -> str:
    """The name, if it is one of the time zone database; raises InvalidParameters."""
    if not _is_timezone(name):
        raise InvalidParameters(timezone="must be a name of the time zone database")
    return name


def merged_options(present: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The options with these changes; raises InvalidParameters when clients could not use them."""
    if unknown := set(changes) - set(default_options()):
        raise InvalidParameters(options=f"unknown: {', '.join(sorted(unknown))[:200]}")
    options = default_options() | present | changes
    if reason := _fault(options):
        raise InvalidParameters(options=reason)
    return options


def _fault(options: dict[str, Any]) -> str | None:
    if not _are_names(options["languages"]):
        return "languages must be a list of different names, at least one"
    if not _is_timezone(options["timezone"]):
        return "timezone must be a name of the time zone database"
    for ordered, named in PAIRS.items():
        shown = options[named]
        if not isinstance(shown, dict) or not all(isinstance(text, str) for text in shown.values()):
            return f"{named} must map names to texts"
        if not _are_names(options[ordered]) or set(options[ordered]) != set(shown):
            return f"{ordered} must list each of {named} once, at least one"
    if len(json.dumps(options)) > MAX_BYTES:
        return f"must have at most {MAX_BYTES} bytes"
    return None


def _are_names(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, str) and item.strip() for item in value)
        and len(set(value)) == len(value)
    )
