"""What is done to every request and answer."""

import logging
import uuid
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from projects.tokens import SessionToken

logger = logging.getLogger(__name__)

Handler = Callable[[HttpRequest], HttpResponse]


def request_id_of(request: Any) -> str:
    """The id that RequestId gave to this request (or to the one that it wraps)."""
    return str(request.META.get("savepoint.request_id", ""))


class RequestId:
    """Gives each request an id: in the answer's `X-Request-Id`, in logs and in answers of 500."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.META["savepoint.request_id"] = uuid.uuid4().hex
        response = self.get_response(request)
        response["X-Request-Id"] = request_id_of(request)
        return response


# What a page of ours needs, and nothing else: what somebody might smuggle into one does not run,
# and has nowhere to send anything. The page of the API's description brings a style of its own.
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
_DOCS = "/api/docs/"
_FEATURES = ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "usb")


class PagePolicy:
    """Tells browsers what a page may do: Content-Security-Policy and Permissions-Policy."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            policy = dict(_POLICY)
            if request.path == _DOCS:
                policy["style-src"] += " 'unsafe-inline'"
            text = "; ".join(f"{name} {value}" for name, value in policy.items())
            response.setdefault("Content-Security-Policy", text)
            features = ", ".join(f"{name}=()" for name in _FEATURES)
            response.setdefault("Permissions-Policy", features)
        return response


class TokenRenewal:
    """Sends the renewed token in the `Authorization` header of each successful call with one."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        token = getattr(request, "auth", None)
        if isinstance(token, SessionToken) and response.status_code < 400:
            response.setdefault("Authorization", str(token.renewed()))
        if "Authorization" in response:
            response["Cache-Control"] = "no-store"
            response["Access-Control-Expose-Headers"] = "Authorization"
        return response
