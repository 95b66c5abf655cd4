"""Calls that are answered with a long file end with their client, and not later."""

import asyncio
import logging

from django.conf import settings

from backups.streams import SCOPE_KEY, Transfer
from config.body import Application, Message, Receive, Send

logger = logging.getLogger(__name__)


class EndedTransfers:
    """Closes the stream of an answer when its call has ended, or its client takes nothing more."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        transfer = Transfer()
        stalled = False

        async def send_in_time(message: Message) -> None:
            nonlocal stalled
            if not transfer.has_begun:
                await send(message)
                return
            try:
                async with asyncio.timeout(settings.STALL_SECONDS):
                    await send(message)
            except TimeoutError:
                stalled = True
                raise

        try:
            await self.application(scope | {SCOPE_KEY: transfer}, receive, send_in_time)
        except TimeoutError:
            if not stalled:
                raise
            # The server closes the connection, as the answer is not complete.
            logger.warning("a client takes nothing of a download any more: it is broken off")
        finally:
            transfer.end()
