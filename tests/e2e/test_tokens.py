"""/api/token/: a pair of tokens, what each is good for, and what ends them."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from tests.e2e.test_contract import error_of
from tests.e2e.test_people import PASSWORD, person
from tests.e2e.test_sign_in import assert_signed_out
from tests.service import Service, eventually


class Pair:
    """The tokens of one sign-in by /api/token/."""

    def __init__(self, service: Service, username: str, password: str = PASSWORD) -> None:
        self.url = service.url
        response = self.post("/api/token/", username=username, password=password)
        assert response.status_code == 200, response.text
        body = response.json()
        assert set(body) == {"success", "result", "data"}
        assert (body["success"], body["data"]) == (True, {})
        assert set(body["result"]) == {"access", "refresh"}
        self.access: str = body["result"]["access"]
        self.refresh: str = body["result"]["refresh"]

    def post(self, path: str, **body: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=body)

    def init(self, token: str) -> httpx.Response:
        return httpx.post(
            f"{self.url}/api/init", json={}, headers={"Authorization": f"Bearer {token}"}
        )

    def renew(self, token: str | None = None) -> httpx.Response:
        return self.post("/api/token/refresh/", refresh=token or self.refresh)


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_the_pair_signs_in_and_brings_new_tokens(service: Service) -> None:
    user = person(service, "has-a-pair").call("/api/init")["user"]
    pair = Pair(service, "has-a-pair")
    response = pair.init(pair.access)
    assert response.json()["result"]["user"] == user
    assert response.headers["Authorization"].count(".") == 2
    body = pair.renew().json()
    assert set(body) == {"success", "result", "data"}
    assert (body["success"], body["data"]) == (True, {})
    assert set(body["result"]) == {"access"}
    assert pair.init(body["result"]["access"]).json()["result"]["user"] == user


def test_neither_token_does_the_others_work(service: Service) -> None:
    pair = Pair(service, service.username, service.password)
    assert_signed_out(pair.init(pair.refresh))
    assert_signed_out(pair.renew(pair.access))
    renewed = pair.init(pair.access).headers["Authorization"]
    assert_signed_out(pair.renew(renewed))


@pytest.mark.parametrize(
    "refresh", ["nonsense", "a.b.c", "null", "x" * 4096, "Bearer a.b.c", "\U0001f389"]
)
def test_a_refresh_token_that_is_none_is_401(service: Service, refresh: str) -> None:
    response = httpx.post(f"{service.url}/api/token/refresh/", json={"refresh": refresh})
    assert_signed_out(response)


def test_a_refresh_token_signed_by_somebody_else_or_by_nobody_is_401(service: Service) -> None:
    pair = Pair(service, service.username, service.password)
    claims = claims_of(pair.refresh)
    assert_signed_out(pair.renew(jwt.encode(claims, "k" * 64, algorithm="HS256")))
    assert_signed_out(pair.renew(jwt.encode(claims, None, algorithm="none")))


@pytest.mark.parametrize(
    ("path", "body", "parameters"),
    [
        ("/api/token/", {}, {"username", "password"}),
        ("/api/token/", {"username": 7, "password": None}, {"username", "password"}),
        ("/api/token/refresh/", {}, {"refresh"}),
        ("/api/token/refresh/", {"refresh": None}, {"refresh"}),
        ("/api/token/refresh/", {"refresh": "x" * 4097}, {"refresh"}),
    ],
)
def test_bad_parameters_are_400(
    service: Service, path: str, body: dict[str, Any], parameters: set[str]
) -> None:
    response = httpx.post(f"{service.url}{path}", json=body)
    assert error_of(response)[:3] == (400, 400, "Bad request")
    assert set(error_of(response)[3]) == parameters


def test_wrong_credentials_bring_no_pair(service: Service) -> None:
    for username, password in ((service.username, "wrong"), ("nobody", PASSWORD)):
        response = httpx.post(
            f"{service.url}/api/token/", json={"username": username, "password": password}
        )
        assert_signed_out(response)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pair-password", "u.set_password('another long one')"),
        ("pair-disabled", "u.is_active = False"),
    ],
)
def test_what_ends_the_session_ends_both_tokens(service: Service, name: str, change: str) -> None:
    person(service, name)
    pair = Pair(service, name)
    fresh = pair.renew().json()["result"]["access"]
    service.shell(
        f"from projects.models import User\nu = User.objects.get(username={name!r})\n{change}\nu.save()"
    )
    for token in (pair.access, fresh):
        assert_signed_out(pair.init(token))
    assert_signed_out(pair.renew())


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service in which tokens live for a second, and sessions for three."""
    running = Service(
        tmp_path_factory.mktemp("hasty-tokens"), TOKEN_SECONDS="1", SESSION_SECONDS="3"
    )
    running.start(megabytes=1)
    yield running
    running.end()


def test_an_expired_token_renews_nothing_but_the_refresh_token_still_does(
    hasty: Service,
) -> None:
    pair = Pair(hasty, hasty.username, hasty.password)

    def refused() -> httpx.Response | None:
        response = pair.init(pair.access)
        return response if response.status_code != 200 else None

    assert_signed_out(eventually(refused, "the access token expires"))
    assert time.time() >= claims_of(pair.access)["exp"]
    assert pair.renew().status_code == 200


def test_no_renewal_goes_beyond_the_end_of_the_session(hasty: Service) -> None:
    before = time.time()
    pair = Pair(hasty, hasty.username, hasty.password)
    end = claims_of(pair.refresh)["exp"]
    assert end <= before + 3 + 1
    last = pair.access

    def refused() -> httpx.Response | None:
        nonlocal last
        response = pair.renew()
        if response.status_code != 200:
            return response
        last = response.json()["result"]["access"]
        for token in (last, pair.init(last).headers.get("Authorization", last)):
            assert claims_of(token)["exp"] <= end
        return None

    assert_signed_out(eventually(refused, "the session ends"))
    assert time.time() >= end
    assert_signed_out(pair.init(last))
