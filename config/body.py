"""How much of a request's body is taken in at all, before anything else looks at it."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from config.errors import Failure

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# Messages are mappings of many kinds, for which nobody has one type.
Application = Callable[[Any, Any, Any], Awaitable[None]]

TOO_LARGE = Failure(413, {})
TOO_SLOW = Failure(400, {"body": "stopped coming"})


class BoundedBody:
    """Reads a body of at most `limit` bytes and hands it on in one piece with its true length.

    All of it must come in REQUEST_SECONDS.
    Without it a body of any length would be spooled to disk before its length is looked at, and
    one that is sent in chunks, having no Content-Length, would be taken for an empty one.
    """

    def __init__(self, application: Application, limit: int) -> None:
        self.application = application
        self.limit = limit

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if length.isdigit() and int(length) > self.limit:
            await refuse(send, TOO_LARGE)
            return
        body = bytearray()
        try:
            async with asyncio.timeout(settings.REQUEST_SECONDS):
                more = True
                while more and len(body) <= self.limit:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
        except TimeoutError:
            await refuse(send, TOO_SLOW)
            return
        if len(body) > self.limit:
            await refuse(send, TOO_LARGE)
            return
        if body and not length:
            headers = [*scope["headers"], (b"content-length", str(len(body)).encode())]
            scope = scope | {"headers": headers}
        whole: Message | None = {"type": "http.request", "body": bytes(body), "more_body": False}

        async def receive_whole() -> Message:
            nonlocal whole
            if whole is None:
                return await receive()
            message, whole = whole, None
            return message

        await self.application(scope, receive_whole, send)


async def refuse(send: Send, failure: Failure) -> None:
    """Answer before the application has seen the request."""
    body = json.dumps(failure.payload).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", uuid.uuid4().hex.encode()),
        # What is left of the body is not read: this connection can't be used any more.
        (b"connection", b"close"),
    ]
    if failure.code == 429:
        headers.append((b"retry-after", str(failure.info["retry_after"]).encode()))
    await send({"type": "http.response.start", "status": failure.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
