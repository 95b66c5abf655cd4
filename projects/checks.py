"""Wrong set-ups of tokens, found by `manage.py check` and at every start."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from projects.throttles import read_rate


@register()
def check_lifetimes(**kwargs: Any) -> list[CheckMessage]:
    """A token must live, and a session as long as its first token."""
    if timedelta(0) < settings.TOKEN_LIFETIME <= settings.SESSION_LIFETIME:
        return []
    return [
        Error("TOKEN_SECONDS must be more than 0 and at most SESSION_SECONDS", id="projects.E001")
    ]


@register()
def check_rates(**kwargs: Any) -> list[CheckMessage]:
    """A rate that can't be read would fail every call that it is for."""
    found: list[CheckMessage] = []
    for name, rate in settings.THROTTLE_RATES.items():
        try:
            read_rate(rate)
        except ValueError as error:
            found.append(Error(f"the rate of {name}: {error}", id="projects.E002"))
    return found
