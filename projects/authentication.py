"""Who is calling: passwords, API keys and tokens."""

import hashlib
import logging
import secrets
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, TokenError
from rest_framework_simplejwt.tokens import Token

from projects.errors import NotAuthenticated
from projects.models import ApiKey, Project, User
from projects.tokens import BoundToken, is_usable

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=BoundToken)

# What the libraries raise for a signed token whose times are no moments.
ABSURD = (OverflowError, ValueError, TypeError, OSError)

# Writing "last used" for every call would make each a write; a minute's precision is plenty.
LAST_USED_PRECISION = timedelta(minutes=1)


def user_of_token(token: Token) -> User:
    """The user whom this valid token speaks for; raises NotAuthenticated if it ended since."""
    assert isinstance(token, BoundToken)
    try:
        token.check_times()
        user = User.objects.get(gid=UUID(str(token.get("sub"))))
    except (User.DoesNotExist, ValueError) as error:
        raise NotAuthenticated from error
    token.check_holder(user)
    return user


def read_token(text: str, kind: type[T]) -> tuple[User, T]:
    """The user and token of a JWT's text; raises NotAuthenticated if it isn't good (any more)."""
    try:
        token = kind(text)  # type: ignore[arg-type]
    except (TokenError, *ABSURD) as error:
        raise NotAuthenticated from error
    return user_of_token(token), token


class TokenAuthentication(JWTAuthentication):
    """`Authorization: Bearer <JWT>`; asks for one with the realm of this service."""

    def authenticate_header(self, request: Request) -> str:
        return f'Bearer realm="{settings.API_REALM}"'

    def get_validated_token(self, raw_token: bytes) -> Token:
        try:
            return super().get_validated_token(raw_token)
        except ABSURD as error:
            raise AuthenticationFailed from error

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]
        try:
            return user_of_token(validated_token)
        except NotAuthenticated as error:
            raise AuthenticationFailed from error


def sign_in(username: str, password: str) -> User:
    """The person with this name and password; raises NotAuthenticated."""
    user = authenticate(username=username, password=password)
    if not isinstance(user, User) or user.kind != User.Kind.PERSON:
        raise NotAuthenticated
    return user


def hash_secret(secret: str) -> str:
    """What is kept of an API key. It has 256 random bits, so one fast hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def sign_in_with_key(project_gid: UUID | None, text: str) -> tuple[User, ApiKey]:
    """The API user of this key to this project; raises NotAuthenticated."""
    if project_gid is None:
        raise NotAuthenticated
    prefix, _, secret = text.removeprefix("sp_").partition("_")
    now = timezone.now()
    api_key = (
        ApiKey.objects.select_related("user", "project")
        .filter(prefix=prefix, project__gid=project_gid, project__status=Project.Status.ACTIVE)
        .first()
    )
    # Compared also for an unknown prefix, so that both take the same time.
    known = api_key.secret_hash if api_key else hash_secret("")
    matches = secrets.compare_digest(known, hash_secret(secret))
    if api_key is None or not matches or not is_usable(api_key, now):
        raise NotAuthenticated
    if not api_key.user.is_active:
        raise NotAuthenticated
    _note_use(api_key, now)
    return api_key.user, api_key


def _note_use(api_key: ApiKey, now: datetime) -> None:
    stale = Q(last_used_on=None) | Q(last_used_on__lt=now - LAST_USED_PRECISION)
    try:
        ApiKey.objects.filter(stale, pk=api_key.pk).update(last_used_on=now)
    except DatabaseError:
        # A database that is full or locked for long must not keep people from reading.
        logger.warning("the last use of key %s could not be noted", api_key.prefix, exc_info=True)
