"""The web server's side of a connection, which waits for no request's head for ever."""

import asyncio
from typing import Any

from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class ImpatientProtocol(HttpToolsProtocol):
    """Closes a connection on which no whole head of a request comes in REQUEST_SECONDS.

    The server itself ends only those that are silent after an answer; one that never says a word,
    or says it byte by byte, would be kept. `config.body` bounds the time of the body.
    """

    _deadline: asyncio.TimerHandle | None = None
    _handed_on = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            # Bytes that begin no request end the server's own wait for one.
            self._expect_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        self._handed_on = True
        self._stop_waiting()
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        if self._deadline is None and not self._handed_on and not self.transport.is_closing():
            self._deadline = self.loop.call_later(settings.REQUEST_SECONDS, self._end)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self._deadline = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            # An earlier request is still being answered: the next one's head has time until then.
            self._expect_head()
