"""/sync/ws: the event log by websocket."""

import asyncio
import json
import logging
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from jobs.errors import CursorUnknown
from jobs.events import latest_cursor
from jobs.feed import feed
from jobs.listener import Overflow, ProjectLeft
from jobs.session import SocketSession, session_of_handshake, session_of_token
from projects.access import gid_of, visible_project_gids
from projects.errors import NotAllowed, NotAuthenticated

logger = logging.getLogger(__name__)

MAX_FRAME = 64 * 1024
# One frame carries at most so many events.
FRAME_EVENTS = 200
SEND_SECONDS = 10.0
RECHECK_SECONDS = 15.0
# Whoever is signed in by the handshake may still send a connect frame; it is waited for so long.
GRACE_SECONDS = 1.0

SIGNED_OUT, NOT_A_MEMBER, NO_CONNECT, BAD_FRAME, TOO_SLOW = 4401, 4403, 4408, 4413, 4429


class BadFrame(Exception):
    """The frame is too large or is not a JSON object of a known type."""


class SyncConsumer(AsyncWebsocketConsumer):
    """One listener: authorises it, replays what came after its cursor, then follows the log.

    Everything but the reception of frames is done by one task, so that a slow reader at the other
    end blocks nobody, and that the order of what is sent is that of the log.
    """

    session: SocketSession | None
    frames: asyncio.Queue[str | None]
    worker: asyncio.Task[None]

    async def connect(self) -> None:
        await self.accept()
        self.session = None
        # What the listener has had so far, and what it wants to hear of.
        self.sent = 0
        self.projects: list[str] | None = None
        self.sending = asyncio.Lock()
        # Small: a client has nothing to say but to connect, and now and then a fresh token.
        self.frames = asyncio.Queue(maxsize=8)
        self.worker = asyncio.create_task(self._serve())

    async def disconnect(self, code: int) -> None:
        self.worker.cancel()
        await asyncio.gather(self.worker, return_exceptions=True)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.frames.put(text_data)

    async def _serve(self) -> None:
        code = await self._close_code()
        # The other end may be gone by now, or be reading nothing at all.
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self.close(code=code)
        except (TimeoutError, RuntimeError):
            logger.info("a listener could not be told why it was closed (%s)", code)

    async def _close_code(self) -> int:
        """Serve until something ends it, and say what."""
        try:
            await self._authorise_and_follow()
        except NotAuthenticated:
            return SIGNED_OUT
        except (NotAllowed, ProjectLeft):
            return NOT_A_MEMBER
        except BadFrame:
            return BAD_FRAME
        except Overflow:
            return TOO_SLOW
        except TimeoutError:
            return NO_CONNECT
        except Exception:
            logger.exception("a listener was dropped by a fault")
            return 1011
        return 1000

    async def _authorise_and_follow(self) -> None:
        start = await sync_to_async(latest_cursor, thread_sensitive=False)()
        self.session = await session_of_handshake(self.scope)
        frame: dict[str, Any] = {}
        try:
            seconds = GRACE_SECONDS if self.session else settings.CONNECT_SECONDS
            async with asyncio.timeout(seconds):
                frame = await self._frame()
        except TimeoutError:
            if self.session is None:
                raise
        while True:
            await self._connect(frame)
            try:
                frame = await self._follow(frame, start)
            except CursorUnknown:
                info = {"code": 422, "message": "Unprocessable entity", "info": {"reset": True}}
                await self._send({"type": "error", "result": info})
                async with asyncio.timeout(settings.CONNECT_SECONDS):
                    frame = await self._frame()
                start = await sync_to_async(latest_cursor, thread_sensitive=False)()
            else:
                # A frame that brings a fresh token only changes nothing of what is followed.
                start = self.sent
                frame = {"projects": self.projects, **frame}

    async def _frame(self) -> dict[str, Any]:
        """The next frame, a connect frame; raises BadFrame."""
        text = await self.frames.get()
        if text is None or len(text) > MAX_FRAME:
            raise BadFrame
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadFrame from error
        if not isinstance(frame, dict) or frame.get("type") != "connect":
            raise BadFrame
        return frame

    async def _connect(self, frame: dict[str, Any]) -> None:
        if "JWT" in frame:
            session = await session_of_token(self.scope, frame["JWT"])
            # What a browser sends along by itself gives way to what is said; a token does not.
            earlier = self.session
            if earlier and earlier.token and earlier.user.pk != session.user.pk:
                raise NotAuthenticated
            self.session = session
        if self.session is None:
            raise NotAuthenticated

    async def _narrowed(self, frame: dict[str, Any]) -> frozenset[UUID] | None:
        if frame.get("projects") is None:
            return None
        texts = frame["projects"]
        if not isinstance(texts, list):
            raise BadFrame
        gids = [gid_of(text) for text in texts]
        assert self.session is not None
        visible = await sync_to_async(visible_project_gids, thread_sensitive=False)(
            self.session.user
        )
        if not visible.issuperset(gids):
            raise NotAllowed
        return frozenset(gid for gid in gids if gid is not None)

    async def _follow(self, frame: dict[str, Any], start: int) -> dict[str, Any]:
        """Send events until a further connect frame comes; return that frame."""
        assert self.session is not None
        cursor = frame.get("cc_cursor", start)
        if not isinstance(cursor, int) or isinstance(cursor, bool) or not 0 <= cursor < 2**63:
            raise BadFrame
        narrowed = await self._narrowed(frame)
        self.projects = frame.get("projects")
        sender = asyncio.create_task(self._send_events(self.session, narrowed, cursor))
        reader = asyncio.create_task(self._frame())
        keeper = asyncio.create_task(self._keep_session(self.session))
        tasks: tuple[asyncio.Task[Any], ...] = (sender, reader, keeper)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for ended in (keeper, sender):
                if ended.done():
                    ended.result()
            return reader.result()
        finally:
            # Not in the middle of a frame, or nobody would know whether it was sent.
            async with self.sending:
                for task in tasks:
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send_events(
        self, session: SocketSession, narrowed: frozenset[UUID] | None, cursor: int
    ) -> None:
        announced = False
        batches = feed.follow(session.user, narrowed, cursor, session.changed)
        try:
            async for lines in batches:
                if not announced:
                    announced = True
                    self.sent = cursor
                    await self._send({"type": "connect", "cc.cursor": cursor})
                for first in range(0, len(lines), FRAME_EVENTS):
                    chosen = lines[first : first + FRAME_EVENTS]
                    text = ",".join(text for _, text in chosen)
                    async with self.sending:
                        await self._send_text('{"type":"sync","sync":[' + text + "]}")
                        self.sent = chosen[-1][0]
        finally:
            await batches.aclose()

    async def _keep_session(self, session: SocketSession) -> None:
        """Check the session now and then, and at once when its user changes; renew its token."""
        while True:
            await session.check()
            if token := session.due_renewal():
                await self._send({"type": "authorization", "JWT": str(token)})
            await session.wait_for_change(RECHECK_SECONDS)

    async def _send(self, frame: dict[str, Any]) -> None:
        await self._send_text(json.dumps(frame, separators=(",", ":")))

    async def _send_text(self, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self.send(text_data=text)
        except TimeoutError as error:
            raise Overflow from error
