"""Wrong set-ups of keys and sizes, found by `manage.py check` and at every start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from backups.store.seal import Keyring
from projects.databases import MANAGED, seal_address


@register()
def check_keys(**kwargs: Any) -> list[CheckMessage]:
    """The keys must be keys; what is wrong with them is told without them."""
    found: list[CheckMessage] = []
    try:
        Keyring.parse(settings.STORE_KEYS)
    except ValueError as error:
        found.append(Error(f"STORE_KEYS: {error}", id="backups.E001"))
    try:
        seal_address(MANAGED)
    except ImproperlyConfigured as error:
        found.append(Error(str(error), id="backups.E002"))
    return found


@register()
def check_sizes(**kwargs: Any) -> list[CheckMessage]:
    """Blocks fill frames, frames fill packs."""
    block, frame, pack = settings.BLOCK_BYTES, settings.FRAME_BYTES, settings.PACK_BYTES
    if 0 < block <= frame <= pack:
        return []
    return [
        Error(
            "BLOCK_BYTES, FRAME_BYTES and PACK_BYTES must be positive and not fall in this order",
            id="backups.E003",
        )
    ]


@register()
def check_transfers(**kwargs: Any) -> list[CheckMessage]:
    """Somebody must be able to take a place, and to send something before he is given up."""
    if settings.DOWNLOADS > 0 and settings.UPLOADS > 0 and settings.STALL_SECONDS > 0:
        return []
    return [Error("DOWNLOADS, UPLOADS and STALL_SECONDS must be above 0", id="backups.E005")]


@register()
def check_days(**kwargs: Any) -> list[CheckMessage]:
    """A number of days below zero would have everything verified without end."""
    if settings.VERIFY_DAYS >= 0:
        return []
    return [Error("VERIFY_DAYS must be 0, for never, or more", id="backups.E004")]
