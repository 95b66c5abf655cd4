"""How many calls are served: settings.THROTTLE_RATES, counted for all web processes together.

Imports no views: the framework resolves these classes while its own view module is loading.
"""

import hashlib
import unicodedata
from abc import ABC, abstractmethod
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from projects import counters
from projects.models import User

if TYPE_CHECKING:
    from rest_framework.views import APIView

PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# No name is longer, and none is folded that is: that takes time.
_MAX_NAME = 150


def read_rate(text: str) -> tuple[int, int]:
    """How many in how many seconds; raises ValueError."""
    number, _, period = text.partition("/")
    if period[:1] not in PERIODS:
        raise ValueError(f"{text!r} is not of the form 10/m")
    return int(number), PERIODS[period[0]]


def network_of(address: str) -> str:
    """Whom an address belongs to: of IPv6, a customer has 64 bits to choose from."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return f"{IPv6Address(int(found) >> 64 << 64)}/64"
    return str(found)


def folded_name(name: object) -> str:
    """The name as the sign-in form reads it, for which many texts are one name."""
    text = str(name).strip()
    return unicodedata.normalize("NFKC", text) if len(text) <= _MAX_NAME else text


class RateThrottle(ABC, BaseThrottle):
    """A throttle whose rate is read when it is used. `scope`: its name in THROTTLE_RATES."""

    scope: str
    _wait = 0.0

    @abstractmethod
    def counted(self, request: Request, view: "APIView") -> tuple[object, ...] | None:
        """By what the call is counted; None for one that is not."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        parts = self.counted(request, view)
        if parts is None:
            return True
        text = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
        key = f"{self.scope}-{hashlib.sha256(text).hexdigest()}"
        self._wait = counters.take(key, *read_rate(settings.THROTTLE_RATES[self.scope]))
        return not self._wait

    def wait(self) -> float:
        return self._wait

    def network(self, request: Request) -> str:
        """Where the call comes from."""
        return network_of(self.get_ident(request) or "")


class CallThrottle(RateThrottle):
    """All calls of a user."""

    scope = "calls"

    def counted(self, request: Request, view: "APIView") -> tuple[object, ...] | None:
        return (request.user.gid,) if isinstance(request.user, User) else None


class AddressThrottle(RateThrottle):
    """Attempts to sign in from an address."""

    scope = "sign_in_address"

    def counted(self, request: Request, view: "APIView") -> tuple[object, ...] | None:
        return (self.network(request),)


class NameThrottle(RateThrottle):
    """Attempts to sign in with a name from an address: guessing at one person's password."""

    scope = "sign_in_name"

    def counted(self, request: Request, view: "APIView") -> tuple[object, ...] | None:
        body: Any = request.data
        name = body.get("username", body.get("api_key"))
        if name is None:
            return None  # nobody's password is guessed at
        return self.network(request), folded_name(name)


class AnywhereThrottle(RateThrottle):
    """Attempts to sign in with a name from all addresses together. Keys can't be guessed at."""

    scope = "sign_in_anywhere"

    def counted(self, request: Request, view: "APIView") -> tuple[object, ...] | None:
        body: Any = request.data
        name = body.get("username")
        return None if name is None else (folded_name(name),)


class FormNameThrottle(NameThrottle):
    """As NameThrottle, and of the same share, where the name comes by a form."""

    def counted(self, request: Any, view: Any) -> tuple[object, ...] | None:
        return self.network(request), folded_name(request.POST.get("username", ""))


class FormAnywhereThrottle(AnywhereThrottle):
    """As AnywhereThrottle, and of the same share, where the name comes by a form."""

    def counted(self, request: Any, view: Any) -> tuple[object, ...] | None:
        return (folded_name(request.POST.get("username", "")),)


class CreateThrottle(RateThrottle):
    """Backups asked for in a project. Asked after the caller's membership is known."""

    scope = "create"

    def counted(self, request: Request, view: "APIView") -> tuple[object, ...] | None:
        return (view.kwargs["gid"],)


class MemberThrottle(RateThrottle):
    """Members named by an owner, in whichever project: each answer tells whether a name exists."""

    scope = "members"

    def counted(self, request: Request, view: "APIView") -> tuple[object, ...] | None:
        return (request.user.gid,) if isinstance(request.user, User) else None
