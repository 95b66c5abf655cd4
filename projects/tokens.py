"""The JSON web token of a session: renewed by each answer, ended by what ends the session."""

from datetime import UTC, datetime, timedelta
from typing import TypeVar

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from rest_framework_simplejwt.tokens import Token

from projects.errors import NotAuthenticated
from projects.models import ApiKey, User

T = TypeVar("T", bound="BoundToken")

CLAIM_OF_USER = "sub"
END_CLAIM = "end"
PASSWORD_CLAIM = "pwd"  # noqa: S105 - the name of a claim
KEY_CLAIM = "key"


def password_mark(user: User) -> str:
    """Changes with the user's password, and says nothing about it."""
    return salted_hmac("projects.tokens", user.password, algorithm="sha256").hexdigest()[:16]


class BoundToken(Token):
    """A token of one session, that stops being good with what the session rests on.

    Claims: `sub` user gid, `end` the session's end (seconds since the epoch), `pwd` the mark of
    the password at sign-in, `key` the prefix of the API key, if one was used.
    """

    @property
    def expires_on(self) -> datetime:
        return datetime.fromtimestamp(self["exp"], UTC)

    @property
    def ends_on(self) -> datetime:
        """When the session ends, however often its tokens are renewed."""
        return datetime.fromtimestamp(self[END_CLAIM], UTC)

    def check_times(self) -> None:
        """Raise NotAuthenticated unless both ends are moments."""
        try:
            _ = self.expires_on, self.ends_on
        except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
            raise NotAuthenticated from error

    def check_holder(self, user: User) -> None:
        """Raise NotAuthenticated when something since the sign-in has ended the session."""
        # The library's leeway is for clocks that differ; an expired token must not renew itself.
        if timezone.now() >= self.expires_on or not user.is_active:
            raise NotAuthenticated
        if not constant_time_compare(password_mark(user), str(self.get(PASSWORD_CLAIM, ""))):
            raise NotAuthenticated
        if user.kind == User.Kind.API:
            api_key = ApiKey.objects.filter(user=user, prefix=self.get(KEY_CLAIM)).first()
            if api_key is None or not is_usable(api_key, timezone.now()):
                raise NotAuthenticated

    def _same_session(self, kind: "type[T]", expires_on: datetime) -> "T":
        token = kind()
        for claim in (CLAIM_OF_USER, END_CLAIM, PASSWORD_CLAIM, KEY_CLAIM):
            if claim in self.payload:
                token.payload[claim] = self.payload[claim]
        token.payload["exp"] = int(min(expires_on, self.ends_on).timestamp())
        return token


class SessionToken(BoundToken):
    """The token that calls are made with: it expires soon, and every answer brings a new one."""

    token_type = "session"  # noqa: S105
    # The library wants a class attribute; renewed() sets the true expiry.
    lifetime = timedelta(minutes=30)

    @classmethod
    def begin(cls, user: User, api_key: ApiKey | None = None) -> "SessionToken":
        """The first token of a new session of this user."""
        token = cls.for_user(user)
        assert isinstance(token, SessionToken)
        token[END_CLAIM] = int((timezone.now() + settings.SESSION_LIFETIME).timestamp())
        token[PASSWORD_CLAIM] = password_mark(user)
        if api_key is not None:
            token[KEY_CLAIM] = api_key.prefix
        return token.renewed()

    def renewed(self) -> "SessionToken":
        """The same session with a later expiry, never after the session's end."""
        return self._same_session(SessionToken, timezone.now() + settings.TOKEN_LIFETIME)

    def refresh(self) -> "RefreshToken":
        """A token that brings new ones for as long as the session lasts."""
        return self._same_session(RefreshToken, self.ends_on)


class RefreshToken(BoundToken):
    """For clients that renew by a call of its own; no call can be made with it."""

    token_type = "refresh"  # noqa: S105
    lifetime = timedelta(hours=12)

    def access(self) -> SessionToken:
        """A new token to make calls with."""
        return self._same_session(SessionToken, timezone.now() + settings.TOKEN_LIFETIME)


def is_usable(api_key: ApiKey, now: datetime) -> bool:
    """Whether the key is neither revoked nor expired."""
    return api_key.revoked_on is None and (api_key.expires_on is None or api_key.expires_on > now)
