"""How slowly a transfer may go, and for how long, before it is broken off."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.conf import settings


class TooSlow(Exception):
    """The client sends or takes too little, or the whole has lasted too long."""


class Pace:
    """One transfer's. Only waiting for the client counts, not what is done here meanwhile: while
    it is waited for STALL_SECONDS, TRANSFER_RATE times as many bytes must have moved.

    The whole may last for TRANSFER_SECONDS, whoever is slow.
    """

    def __init__(self) -> None:
        self._ends_at = time.monotonic() + settings.TRANSFER_SECONDS
        self._renew()

    def _renew(self) -> None:
        self._patience: float = settings.STALL_SECONDS
        self._owed: float = settings.TRANSFER_RATE * settings.STALL_SECONDS

    def moved(self, size: int) -> None:
        """So many bytes have moved."""
        self._owed -= size
        if size and self._owed <= 0:
            self._renew()

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """The body waits for the client, and for nothing else. Raises TooSlow."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(min(self._patience, self._ends_at - began)) as limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise TooSlow from None
        finally:
            self._patience -= time.monotonic() - began
