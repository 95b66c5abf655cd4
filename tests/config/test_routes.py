"""What holds for every route."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

PUBLIC = {
    "api/schema",
    "api/docs/",
    "api/ping",
    "api/login",
    "api/token/",
    "api/token/refresh/",
    "api/p/<str:gid>/login",
    "api/p/<str:gid>/auth",
}


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from routes(pattern, route)


API = sorted(route for route in routes(get_resolver()) if route.startswith(("api/", "sync/")))


def test_the_routes_are_found() -> None:
    assert {"api/init", "sync/get", "api/p/<str:gid>/backups/create"} <= set(API)


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("route", sorted(set(API) - PUBLIC))
def test_every_route_without_a_login_answers_401(client: Client, route: str, method: str) -> None:
    path = "/" + route.replace("<str:gid>", str(uuid4())).replace("<int:version>", "1")
    response = client.generic(method, path)
    assert response.status_code == 401, path
    assert response["WWW-Authenticate"] == 'Bearer realm="savepoint"'
    assert response.json() == {
        "success": False,
        "result": {"code": 401, "message": "Permission denied", "info": {}},
        "data": {},
    }


@pytest.mark.django_db
def test_a_fault_of_ours_is_500_with_a_request_id_and_no_trace(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError("the inner workings")

    monkeypatch.setattr("config.signin.sign_in", broken)
    response = client.post(
        "/api/login", {"username": "a", "password": "b"}, content_type="application/json"
    )
    assert response.status_code == 500
    result = response.json()["result"]
    assert (result["code"], result["message"]) == (500, "Internal server error")
    assert result["info"] == {"request_id": response["X-Request-Id"]}
    assert result["info"]["request_id"] in caplog.text
    assert b"inner workings" not in response.content


@pytest.mark.django_db
def test_a_host_that_is_not_ours_is_refused_in_the_envelope(client: Client) -> None:
    response = client.get("/api/ping", headers={"host": "elsewhere.example"})
    assert response.status_code == 400
    assert response.json()["result"]["code"] == 400
