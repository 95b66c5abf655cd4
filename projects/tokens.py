"""The JSON web token of a session: renewed by each answer, ended by what ends the session."""

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac
from rest_framework_simplejwt.tokens import Token

from projects.errors import NotAuthenticated
from projects.models import ApiKey, User

END_CLAIM = "end"
PASSWORD_CLAIM = "pwd"  # noqa: S105 - the name of a claim
KEY_CLAIM = "key"


def password_mark(user: User) -> str:
    """Changes with the user's password, and says nothing about it."""
    return salted_hmac("projects.tokens", user.password, algorithm="sha256").hexdigest()[:16]


class SessionToken(Token):
    """A token that expires soon, carrying the moment after which it can't be renewed any more.

    Claims: `sub` user gid, `end` the session's end (seconds since the epoch), `pwd` the mark of
    the password at sign-in, `key` the prefix of the API key, if one was used.
    """

    token_type = "session"  # noqa: S105
    # The library wants a class attribute; begin() and renewed() set the true expiry.
    lifetime = timedelta(minutes=30)

    @classmethod
    def begin(cls, user: User, api_key: ApiKey | None = None) -> "SessionToken":
        """The first token of a new session of this user."""
        token = cls.for_user(user)
        assert isinstance(token, SessionToken)
        token[END_CLAIM] = int((token.current_time + settings.SESSION_LIFETIME).timestamp())
        token[PASSWORD_CLAIM] = password_mark(user)
        if api_key is not None:
            token[KEY_CLAIM] = api_key.prefix
        return token.renewed()

    @property
    def expires_on(self) -> datetime:
        return datetime.fromtimestamp(self["exp"], UTC)

    @property
    def ends_on(self) -> datetime:
        """When the session ends, however often the token is renewed."""
        return datetime.fromtimestamp(self[END_CLAIM], UTC)

    def renewed(self) -> "SessionToken":
        """The same session with a later expiry, never after the session's end."""
        token = SessionToken()
        token.payload.update(self.payload)
        expires_on = token.current_time + settings.TOKEN_LIFETIME
        token.payload["exp"] = int(min(expires_on, self.ends_on).timestamp())
        return token

    def check_holder(self, user: User) -> None:
        """Raise NotAuthenticated when something since the sign-in has ended the session."""
        # The library's leeway is for clocks that differ; an expired token must not renew itself.
        if self.current_time >= self.expires_on or not user.is_active:
            raise NotAuthenticated
        if not constant_time_compare(password_mark(user), str(self.get(PASSWORD_CLAIM, ""))):
            raise NotAuthenticated
        if user.kind == User.Kind.API:
            api_key = ApiKey.objects.filter(user=user, prefix=self.get(KEY_CLAIM)).first()
            if api_key is None or not is_usable(api_key, self.current_time):
                raise NotAuthenticated


def is_usable(api_key: ApiKey, now: datetime) -> bool:
    """Whether the key is neither revoked nor expired."""
    return api_key.revoked_on is None and (api_key.expires_on is None or api_key.expires_on > now)
