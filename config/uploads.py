"""Files in multipart bodies, written to disk while they arrive.

Django would keep the whole body aside before it looks at who sent it, and then write each file a
second time. Here the caller is known first, and the rest of the application sees a small JSON body
with the other fields, and in the scope where the file is.
"""

import asyncio
import json
import re
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from rest_framework.exceptions import Throttled

from backups import places
from backups.uploads import SCOPE_KEY
from config.body import Application, Message, Receive, Send, refuse
from config.errors import Failure, failure_of
from config.multipart import Form, FormTooLarge
from config.pace import Pace, TooSlow
from projects.access import gid_of, membership_for
from projects.authentication import read_token
from projects.errors import NotAllowed, NotAuthenticated
from projects.models import Membership
from projects.tokens import SessionToken

# What a multipart body may have beside its file.
_FIELDS_BYTES = 1 << 16
_BOOLEANS = ("keep_damaged",)
_TRUTH = {"true": True, "false": False}
_PATH = re.compile(r"/api/p/([^/]+)/backups/import")


class ReceivedUploads:
    """Receives the files of calls that may bring one; passes all others on untouched."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        path = _PATH.fullmatch(scope["path"])
        kind, options = parse_options_header(_header(scope, b"content-type"))
        if not (path and scope["method"] == "POST" and kind == b"multipart/form-data"):
            await self.application(scope, receive, send)
            return
        authorization = _header(scope, b"authorization")
        sender = await database_sync_to_async(_sender, thread_sensitive=False)(
            authorization.decode("latin-1"), path[1]
        )
        if sender is None:
            # The view says why. What the client is still sending is not read.
            await self._answer(scope, b"", _closing(send), receive)
            return
        membership, token = sender
        try:
            place = places.uploads.take(membership.user, membership.project)
        except Throttled as error:
            if failure := failure_of(error):
                await refuse(send, failure)
            return
        try:
            await self._receive(scope, options.get(b"boundary", b""), token, receive, send)
        finally:
            place.give_back()

    async def _receive(
        self, scope: Message, boundary: bytes, token: SessionToken, receive: Receive, send: Send
    ) -> None:
        limit = settings.IMPORT_BYTES + _FIELDS_BYTES
        length = _header(scope, b"content-length")
        if length.isdigit() and int(length) > limit:
            await refuse(send, Failure(413, {}))
            return
        if not 0 < len(boundary) <= 256:
            await refuse(send, Failure(400, {"body": "is no multipart form: it has no boundary"}))
            return
        form = Form(boundary, fields_bytes=_FIELDS_BYTES, file_bytes=settings.IMPORT_BYTES)
        try:
            if failure := await _received(form, receive):
                await refuse(send, failure)
                return
            body = json.dumps(_parameters(form.fields) | form.file_fields).encode()
            # The token may have expired meanwhile, as it was good when the call began. What else
            # it rests on is looked at by the view, as with all calls.
            headers = [
                (name, f"Bearer {token.renewed()}".encode() if name == b"authorization" else value)
                for name, value in scope["headers"]
            ]
            received = scope | {"headers": headers, SCOPE_KEY: form.upload}
            await self._answer(received, body, send, receive)
        except _Gone:
            return
        finally:
            await asyncio.to_thread(form.close)

    async def _answer(self, scope: Message, body: bytes, send: Send, receive: Receive) -> None:
        """Let the application answer as if this had been the body."""
        replaced = (b"content-type", b"content-length", b"transfer-encoding")
        headers = [header for header in scope["headers"] if header[0] not in replaced]
        headers += [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_body() -> Message:
            if left:
                return left.pop()
            while (message := await receive())["type"] != "http.disconnect":
                pass
            return message

        await self.application(scope | {"headers": headers}, receive_body, send)


def _parameters(fields: dict[str, str]) -> dict[str, Any]:
    """The form's fields as a JSON body has them: what is true or false there is a text here."""
    return fields | {name: _TRUTH[fields[name]] for name in _BOOLEANS if fields.get(name) in _TRUTH}


class _Gone(Exception):
    """The client has left."""


async def _received(form: Form, receive: Receive) -> Failure | None:
    """Read the body into the form; what to answer when that can't be done. Raises _Gone."""
    pace = Pace()
    try:
        more = True
        while more:
            async with pace.waiting():
                message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            more, piece = message.get("more_body", False), message.get("body", b"")
            pace.moved(len(piece))
            await asyncio.to_thread(form.feed, piece, last=not more)
    except TooSlow:
        return Failure(400, {"body": "stopped coming"})
    except FormTooLarge:
        return Failure(413, {})
    except (FormParserError, ValueError) as error:
        return Failure(400, {"body": f"is no multipart form: {str(error)[:200]}"})
    except OSError as error:
        reason = f"the uploaded file can't be kept: {error.strerror}"
        return Failure(1003, {"process": "import", "reason": reason})
    return None


def _sender(authorization: str, gid: str) -> tuple[Membership, SessionToken] | None:
    """The membership and session of the token, if its user may upload a file for the project."""
    kind, _, token = authorization.partition(" ")
    try:
        user, session = read_token(token.strip(), SessionToken)
        membership = membership_for(user, gid_of(gid), Membership.Role.MEMBER)
    except (NotAuthenticated, NotAllowed):
        return None
    return (membership, session) if kind == "Bearer" else None


def _header(scope: Message, name: bytes) -> bytes:
    found: bytes = next((value for key, value in scope["headers"] if key == name), b"")
    return found


def _closing(send: Send) -> Send:
    """Tells the client that the connection ends with the answer."""

    async def send_closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = message | {"headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return send_closing
