"""Whom a socket speaks for, and until when."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from channels.auth import get_user
from channels.db import database_sync_to_async
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils import timezone

from projects.authentication import read_token, user_of_token
from projects.errors import NotAuthenticated
from projects.models import User
from projects.tokens import SessionToken


@dataclass
class SocketSession:
    """A socket's user; with a token that is renewed, or by the session cookie of the admin."""

    user: User
    token: SessionToken | None
    scope: Mapping[str, Any]
    # Set when the log says that the user changed: disabled, a new password, a key revoked.
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def check(self) -> None:
        """Raise NotAuthenticated if the session has ended since."""
        if self.token is None:
            # Read anew: the session that the handshake loaded does not notice a sign-out.
            store = import_module(settings.SESSION_ENGINE).SessionStore
            user = await get_user({"session": store(self.scope["session"].session_key)})
            if not (isinstance(user, User) and user.is_active and user.pk == self.user.pk):
                raise NotAuthenticated
            return
        if timezone.now() >= self.token.expires_on:
            raise NotAuthenticated
        await database_sync_to_async(user_of_token, thread_sensitive=False)(self.token)

    async def wait_for_change(self, most_seconds: float) -> None:
        """Return when the user changes, or before the token must be looked at again."""
        if self.token is not None:
            left = (self.token.expires_on - timezone.now()).total_seconds()
            most_seconds = max(0.1, min(most_seconds, left / 2))
        try:
            async with asyncio.timeout(most_seconds):
                await self.changed.wait()
        except TimeoutError:
            return
        self.changed.clear()

    def due_renewal(self) -> SessionToken | None:
        """A renewed token when half of the present one's time is over, if that gains time."""
        if self.token is None:
            return None
        left = self.token.expires_on - timezone.now()
        if left > settings.TOKEN_LIFETIME / 2 or self.token.expires_on >= self.token.ends_on:
            return None
        self.token = self.token.renewed()
        return self.token


def _header(scope: Mapping[str, Any], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _is_same_origin(scope: Mapping[str, Any]) -> bool:
    host, origin = _header(scope, b"host"), _header(scope, b"origin")
    domain, _ = split_domain_port(host)
    if not (domain and validate_host(domain, settings.ALLOWED_HOSTS)):
        return False
    # Behind a proxy that ends TLS, what comes here is plain all the same.
    is_safe = settings.HTTPS or scope.get("scheme") in ("wss", "https")
    own = f"{'https' if is_safe else 'http'}://{host}"
    trusted = origin in settings.CSRF_TRUSTED_ORIGINS and urlsplit(origin).netloc == host
    return origin == own or trusted


async def session_of_token(scope: Mapping[str, Any], text: object) -> SocketSession:
    """The session of a JWT; raises NotAuthenticated."""
    if not isinstance(text, str):
        raise NotAuthenticated
    user, token = await database_sync_to_async(read_token, thread_sensitive=False)(
        text, SessionToken
    )
    return SocketSession(user, token, scope)


async def session_of_handshake(scope: Mapping[str, Any]) -> SocketSession | None:
    """The session of the `Authorization` header or of the admin's cookie; None without either.

    A cookie counts only from our own pages: browsers send it along from any page. Raises
    NotAuthenticated for a header that is not good.
    """
    if header := _header(scope, b"authorization"):
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer":
            raise NotAuthenticated
        return await session_of_token(scope, text.strip())
    if not _is_same_origin(scope):
        return None
    user = await get_user(scope)
    return SocketSession(user, None, scope) if isinstance(user, User) and user.is_active else None
