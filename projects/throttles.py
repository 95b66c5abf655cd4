"""How many calls are served: settings.THROTTLE_RATES, counted in the web process's cache.

Imports no views: the framework resolves these classes while its own view module is loading.
"""

import hashlib
from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from projects.models import User

if TYPE_CHECKING:
    from rest_framework.views import APIView


class RateThrottle(SimpleRateThrottle):
    """A throttle whose rate is read when it is used."""

    def get_rate(self) -> str | None:
        rate: str | None = settings.THROTTLE_RATES[str(self.scope)]
        return rate

    def cache_key(self, *parts: object) -> str:
        """A cache key of any length and any characters."""
        text = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
        return f"throttle-{self.scope}-{hashlib.sha256(text).hexdigest()}"


class CallThrottle(RateThrottle):
    """All calls of a user."""

    scope = "calls"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        return self.cache_key(request.user.gid) if isinstance(request.user, User) else None


class AddressThrottle(RateThrottle):
    """Attempts to sign in from an address."""

    scope = "sign_in_address"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        return self.cache_key(self.get_ident(request))


class NameThrottle(RateThrottle):
    """Attempts to sign in with a name from an address: guessing at one person's password."""

    scope = "sign_in_name"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        body: Any = request.data
        name = body.get("username", body.get("api_key"))
        if name is None:
            return None  # nobody's password is guessed at
        return self.cache_key(self.get_ident(request), name)


class FormNameThrottle(NameThrottle):
    """The same, and of the same share, where the name comes by a form."""

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return self.cache_key(self.get_ident(request), request.POST.get("username"))


class CreateThrottle(RateThrottle):
    """Backups asked for in a project. Asked after the caller's membership is known."""

    scope = "create"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        return self.cache_key(view.kwargs["gid"])
