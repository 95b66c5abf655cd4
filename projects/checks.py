"""Wrong set-ups of tokens, found by `manage.py check` and at every start."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def check_lifetimes(**kwargs: Any) -> list[CheckMessage]:
    """A token must live, and a session as long as its first token."""
    if timedelta(0) < settings.TOKEN_LIFETIME <= settings.SESSION_LIFETIME:
        return []
    return [
        Error("TOKEN_SECONDS must be more than 0 and at most SESSION_SECONDS", id="projects.E001")
    ]
