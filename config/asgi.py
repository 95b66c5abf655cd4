"""What the web server runs: HTTP by Django, /sync/ws by Channels."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
http = get_asgi_application()

# Django must be set up before these look at models.
from channels.routing import ProtocolTypeRouter  # noqa: E402
from channels.sessions import SessionMiddlewareStack  # noqa: E402
from django.conf import settings  # noqa: E402

from config.body import BoundedBody  # noqa: E402
from config.transfers import EndedTransfers  # noqa: E402
from config.uploads import ReceivedUploads  # noqa: E402
from jobs.consumers import SyncConsumer  # noqa: E402
from jobs.feed import feed  # noqa: E402

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


bounded = ReceivedUploads(BoundedBody(http, settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
calls = EndedTransfers(bounded)


async def lifespan(scope: Message, receive: Receive, send: Send) -> None:
    """Answers the server's start and end; the feed starts with its first listener."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await feed.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


sync_socket = SessionMiddlewareStack(SyncConsumer.as_asgi())


async def websocket(scope: Message, receive: Receive, send: Send) -> None:
    """There is one websocket; the handshake for any other path is refused."""
    if scope["path"] == "/sync/ws":
        await sync_socket(scope, receive, send)
    else:
        await receive()
        await send({"type": "websocket.close", "code": 4404})


application = ProtocolTypeRouter({"http": calls, "websocket": websocket, "lifespan": lifespan})
