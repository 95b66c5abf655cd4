"""A Savepoint elsewhere, by its wire contract: signs in, tries again, keeps the renewed token."""

import logging
import random
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from jobs.waiting import Exit, Unsuccessful

# A server that is silent, or failing, for so long is given up.
PATIENCE_SECONDS = 120.0
LONGEST_PAUSE_SECONDS = 10.0
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0
FAILING = (500, 502, 503, 504)
THROTTLED = 429
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class Refused(Unsuccessful):
    """The server answered that it will not do this."""

    def __init__(self, status: int, result: dict[str, Any]) -> None:
        self.status = status
        self.info: dict[str, Any] = result.get("info") or {}
        reasons = "; ".join(f"{name}: {reason}" for name, reason in self.info.items())
        text = str(result.get("message", f"HTTP status {status}"))
        super().__init__(
            f"the server refused: {text}" + f" ({reasons})" * bool(reasons), Exit.REFUSED
        )


class Server:
    """One project of one server, with an API key to it."""

    def __init__(
        self,
        url: str,
        project: str,
        api_key: str,
        *,
        deadline: float,
        say: Callable[[str], None],
    ) -> None:
        parts = _checked(url)
        if parts.scheme == "http" and parts.host not in LOCAL_HOSTS:
            say("warning: http:// sends the API key and the token unprotected")
        # Their lines tell of every call, and at DEBUG of headers with tokens.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self.http = httpx.Client(base_url=url.rstrip("/"))
        self.project = project
        self.base = f"/api/p/{project}"
        self._api_key = api_key
        self._token: str | None = None
        self._deadline = deadline
        self._say = say

    def close(self) -> None:
        self.http.close()

    def sign_in(self) -> dict[str, Any]:
        """Begin a session; returns what the client starts from."""
        self._token = None
        return self._answer(self._send(f"{self.base}/auth", {"api_key": self._api_key}, {}))

    def call(self, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        """The answer to a call; a session that has ended is begun anew, once."""
        response = self._send(path, body, headers)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self.sign_in()
            response = self._send(path, body, headers)
        return self._answer(response)

    def _send(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
        """The first answer that is worth reading; raises Unsuccessful when none comes."""
        pauses, silent_since = _pauses(), time.monotonic()
        while True:
            pause, give_up_at = next(pauses), silent_since + PATIENCE_SECONDS
            if self._token is not None:
                headers = headers | {"Authorization": f"Bearer {self._token}"}
            try:
                response = self.http.post(path, json=body, headers=headers, timeout=self._timeout())
            except httpx.RequestError as error:
                if _is_certificate(error):
                    reason = f"the server's certificate can't be trusted: {error}"
                    raise Unsuccessful(reason, Exit.REFUSED) from error
                trouble = f"the server can't be reached ({str(error) or type(error).__name__})"
            else:
                if response.status_code not in (*FAILING, THROTTLED):
                    self._token = response.headers.get("Authorization", self._token)
                    return response
                trouble = f"the server answered {response.status_code}"
                pause = max(pause, _retry_after(response))
                if response.status_code == THROTTLED:
                    # It does answer, and says when to come back.
                    silent_since = time.monotonic()
                    give_up_at = float("inf")
            if time.monotonic() + pause > min(give_up_at, self._deadline):
                raise Unsuccessful(f"{trouble}; given up", Exit.NO_ANSWER)
            self._say(f"{trouble}; trying again in {pause:.1f} seconds")
            time.sleep(pause)

    def _timeout(self) -> httpx.Timeout:
        left = max(0.1, self._deadline - time.monotonic())
        return httpx.Timeout(min(ANSWER_SECONDS, left), connect=min(CONNECT_SECONDS, left))

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        try:
            answer = response.json()
            result = answer["result"]
            succeeded = answer["success"]
        except (ValueError, KeyError, TypeError) as error:
            reason = f"this is no answer of a Savepoint: HTTP status {response.status_code}"
            if place := response.headers.get("Location"):
                reason += f", moved to {place!a}"
            raise Unsuccessful(reason, Exit.REFUSED) from error
        if not succeeded:
            raise Refused(response.status_code, result)
        return dict(answer)


def _checked(url: str) -> httpx.URL:
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        parts = httpx.URL("")
    if parts.scheme not in ("http", "https") or not parts.host:
        raise Unsuccessful("the URL must be like https://savepoint.example", Exit.USAGE)
    if parts.userinfo or parts.query or parts.fragment:
        raise Unsuccessful("the URL must hold no user, query or fragment", Exit.USAGE)
    return parts


def _pauses() -> Iterator[float]:
    """Longer and longer, and not the same for all clients that a restart has thrown out."""
    pause = 0.5
    while True:
        yield pause * random.uniform(0.8, 1.2)  # noqa: S311 - spreads, hides nothing
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _is_certificate(error: BaseException | None) -> bool:
    """Whether a certificate is what went wrong: to try again would not help."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
