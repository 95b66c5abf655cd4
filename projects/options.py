"""The options that a client finds in every project, each with a default that can be used."""

from typing import Any


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
