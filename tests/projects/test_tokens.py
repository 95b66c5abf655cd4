"""Tokens that are signed, and still no good."""

from typing import Any

import jwt
import pytest
from django.conf import settings
from django.test import Client

from projects.authentication import read_token
from projects.errors import NotAuthenticated
from projects.services import create_user
from projects.tokens import RefreshToken, SessionToken

pytestmark = pytest.mark.django_db

ABSURD = [10**30, 1e300, float("inf"), float("nan"), -(10**30), 253402300800, "soon", None, [1], {}]


@pytest.fixture
def token() -> SessionToken:
    return SessionToken.begin(create_user(username="signed", password="a long enough password"))


def signed(claims: dict[str, Any]) -> str:
    claims = {"iss": settings.API_REALM} | claims
    return jwt.encode(claims, settings.TOKEN_SIGNING_KEY, algorithm="HS256")


@pytest.mark.parametrize("moment", ABSURD)
@pytest.mark.parametrize("claim", ["exp", "end", "iat", "nbf"])
def test_a_token_with_an_absurd_time_is_401(token: SessionToken, claim: str, moment: Any) -> None:
    try:
        text = signed(token.payload | {claim: moment})
    except TypeError:
        pytest.skip("can't be signed at all")
    client = Client(headers={"Authorization": f"Bearer {text}"})
    response = client.post("/api/init", {}, content_type="application/json")
    if claim in ("exp", "end"):
        assert response.status_code == 401
        with pytest.raises(NotAuthenticated):
            read_token(text, SessionToken)
    else:
        assert response.status_code in (200, 401)


@pytest.mark.parametrize("claim", ["exp", "end", "sub", "pwd"])
def test_a_token_that_lacks_a_claim_is_401(token: SessionToken, claim: str) -> None:
    claims = {name: value for name, value in token.payload.items() if name != claim}
    client = Client(headers={"Authorization": f"Bearer {signed(claims)}"})
    assert client.post("/api/init", {}, content_type="application/json").status_code == 401


@pytest.mark.parametrize("moment", ABSURD)
def test_a_refresh_token_with_an_absurd_end_is_401(token: SessionToken, moment: Any) -> None:
    claims = token.refresh().payload | {"end": moment}
    try:
        text = signed(claims)
    except TypeError:
        pytest.skip("can't be signed at all")
    with pytest.raises(NotAuthenticated):
        read_token(text, RefreshToken)
    response = Client().post(
        "/api/token/refresh/", {"refresh": text}, content_type="application/json"
    )
    assert response.status_code == 401


def test_the_token_itself_is_good(token: SessionToken) -> None:
    client = Client(headers={"Authorization": f"Bearer {signed(token.payload)}"})
    assert client.post("/api/init", {}, content_type="application/json").status_code == 200
