"""Calls that are answered with a long file end with their client, and not later."""

import logging

from backups.streams import SCOPE_KEY, Transfer
from config.body import Application, Message, Receive, Send
from config.pace import Pace, TooSlow

logger = logging.getLogger(__name__)


class EndedTransfers:
    """Closes the stream of an answer when its call has ended, or its client takes nothing more."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        transfer = Transfer()
        pace = Pace()

        async def send_in_time(message: Message) -> None:
            if not transfer.has_begun:
                await send(message)
                return
            async with pace.waiting():
                await send(message)
            pace.moved(len(message.get("body", b"")))

        try:
            await self.application(scope | {SCOPE_KEY: transfer}, receive, send_in_time)
        except TooSlow:
            # The server closes the connection, as the answer is not complete.
            logger.warning("a client takes too little of a download: it is broken off")
        finally:
            transfer.end()
