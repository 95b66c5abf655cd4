"""Signing in, staying signed in, and what ends it."""

import time
from typing import Any

import httpx
import jwt
import pytest
import sqlean

from config.release import VERSION
from tests.e2e.test_contract import error_of
from tests.service import Client, Service

INIT = {"user", "user_projects", "cc.version", "cc.tools", "cc.cursor"}
PROJECT_INIT = INIT | {"project", "project_members", "last_backed_up", "cursor"}
KINDS = {"cc.users", "cc.projects", "cc.projects_members", "cc.languages"}
PROJECT_KINDS = KINDS | {"definitions", "classes", "fields", "layouts", "queries"}


def assert_signed_out(response: httpx.Response) -> None:
    assert error_of(response) == (401, 401, "Permission denied", {})
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="savepoint"'
    assert "Authorization" not in response.headers


def test_login_answers_as_init_and_brings_a_token(service: Service) -> None:
    client = Client(service.url, service.project)
    response = client.post(
        "/api/login", {"username": service.username, "password": service.password}
    )
    body = response.json()
    assert set(body["result"]) == INIT
    assert set(body["data"]) == KINDS
    assert body["result"]["cc.version"] == VERSION
    assert body["result"]["cc.tools"] == {"sqlite": sqlean.sqlite_version}
    assert body["result"]["user_projects"][service.project] == ["owner", "member", "viewer"]
    user = body["data"]["cc.users"][body["result"]["user"]]
    assert set(user) == {"gid", "username", "name", "avatar", "status", "options", "email"}
    assert client.token
    again = client.post("/api/init", {}).json()
    assert again["result"] == body["result"] | {"cc.cursor": again["result"]["cc.cursor"]}
    got = client.http.get("/api/init", headers={"Authorization": f"Bearer {client.token}"})
    assert set(got.json()["result"]) == INIT


def test_the_api_key_signs_in_to_its_project(service: Service) -> None:
    client = Client(service.url, service.project)
    response = client.post(
        f"/api/p/{service.project}/auth",
        {"api_key": service.api_key, "omit_extended_definitions": True},
    )
    body = response.json()
    assert set(body["result"]) == PROJECT_INIT
    assert set(body["data"]) == PROJECT_KINDS
    assert isinstance(body["data"]["cc.projects_members"], list)
    assert body["result"]["project"] == service.project
    assert body["result"]["user"] in body["result"]["project_members"]
    assert body["result"]["cursor"] == 0
    own = body["data"]["cc.users"][body["result"]["user"]]
    others = [user for gid, user in body["data"]["cc.users"].items() if gid != own["gid"]]
    assert "email" in own
    assert others
    assert all("email" not in user for user in others)
    for kind in ("cc.users", "cc.projects"):
        assert all(gid == entity["gid"] for gid, entity in body["data"][kind].items())


def test_last_backed_up_is_the_time_of_the_newest_version(client: Client) -> None:
    version = client.backup()
    result = client.call(f"/api/p/{client.project}/init")
    newest = client.versions()[0]
    assert newest["version"] == version
    assert result["last_backed_up"] == newest["timestamp"]


def test_a_project_without_versions_was_last_backed_up_never(
    service: Service, client: Client
) -> None:
    gid, _ = service.add_project(name="Fresh")
    assert client.call(f"/api/p/{gid}/init")["last_backed_up"] is None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/login", {"username": "admin", "password": "wrong"}),
        ("/api/login", {"username": "nobody", "password": "wrong"}),
        ("/api/p/{project}/login", {"username": "admin", "password": "wrong"}),
        ("/api/p/{project}/auth", {"api_key": "wrong"}),
        ("/api/p/{project}/auth", {"api_key": "sp_"}),
        ("/api/p/00000000-0000-4000-8000-000000000000/auth", {"api_key": "wrong"}),
        ("/api/p/nonsense/auth", {"api_key": "sp_a_b"}),
    ],
)
def test_wrong_credentials_are_401(service: Service, path: str, body: Any) -> None:
    client = Client(service.url, service.project)
    assert_signed_out(client.post(path.format(project=service.project), body))


def test_the_key_of_one_project_opens_no_other(service: Service) -> None:
    gid, _ = service.add_project(name="Elsewhere")
    client = Client(service.url, gid)
    assert_signed_out(client.post(f"/api/p/{gid}/auth", {"api_key": service.api_key}))


def test_each_answer_renews_the_token_but_not_beyond_the_end_of_the_session(
    client: Client,
) -> None:
    def claims() -> dict[str, Any]:
        return jwt.decode(client.token or "", options={"verify_signature": False})

    first = claims()
    assert first["exp"] - time.time() <= 1800 + 5
    while claims()["exp"] == first["exp"]:
        client.call("/api/init")
    assert claims()["exp"] > first["exp"]
    assert claims()["end"] == first["end"]


def test_a_failed_call_renews_nothing(client: Client) -> None:
    response = client.post(f"/api/p/{client.project}/backups/create", {})
    assert response.status_code == 400
    assert "Authorization" not in response.headers


def session_of(service: Service, name: str) -> Client:
    """A person of this name, made and signed in."""
    service.shell(
        "from projects.models import Project\n"
        "from projects.services import create_user, set_member\n"
        f"user = create_user(username={name!r}, password='a long enough password')\n"
        f"set_member(project=Project.objects.get(gid='{service.project}'), user=user, role='member')"
    )
    client = Client(service.url, service.project)
    client.call("/api/login", username=name, password="a long enough password")
    return client


def test_a_changed_password_ends_every_session(service: Service) -> None:
    client = session_of(service, "changes-password")
    service.shell(
        "from projects.models import User\n"
        "u = User.objects.get(username='changes-password')\nu.set_password('another one')\nu.save()"
    )
    assert_signed_out(client.post("/api/init", {}))


def test_a_disabled_user_is_signed_out(service: Service) -> None:
    client = session_of(service, "disabled")
    service.shell(
        "from projects.models import User\n"
        "User.objects.filter(username='disabled').update(is_active=False)"
    )
    assert_signed_out(client.post("/api/init", {}))


def test_a_revoked_key_is_signed_out_everywhere(service: Service) -> None:
    text = service.shell(
        "from projects.models import Project\nfrom projects.services import create_api_key\n"
        f"p = Project.objects.get(gid='{service.project}')\n"
        "print(create_api_key(project=p, name='to revoke').text)"
    )
    client = Client(service.url, service.project)
    client.call(f"/api/p/{service.project}/auth", api_key=text)
    service.shell(
        "from projects.models import ApiKey\nfrom projects.services import revoke_api_key\n"
        "revoke_api_key(api_key=ApiKey.objects.get(user__name='to revoke',"
        f" project__gid='{service.project}'))"
    )
    assert_signed_out(client.post(f"/api/p/{service.project}/init", {}))
    client.token = None
    assert_signed_out(client.post(f"/api/p/{service.project}/auth", {"api_key": text}))


@pytest.mark.parametrize(
    "header", ["Bearer nonsense", "Bearer", "Basic YTpi", "Bearer a.b.c", "Token x", ""]
)
def test_a_token_that_is_none_is_401(service: Service, header: str) -> None:
    response = httpx.post(f"{service.url}/api/init", headers={"Authorization": header}, json={})
    assert_signed_out(response)


def test_a_token_signed_by_somebody_else_is_401(service: Service, client: Client) -> None:
    claims = jwt.decode(client.token or "", options={"verify_signature": False})
    forged = jwt.encode(claims, "k" * 64, algorithm="HS256")
    response = httpx.post(
        f"{service.url}/api/init", headers={"Authorization": f"Bearer {forged}"}, json={}
    )
    assert_signed_out(response)


def test_ping_needs_no_token_and_looks_at_none(service: Service) -> None:
    response = httpx.get(f"{service.url}/api/ping", headers={"Authorization": "Bearer nonsense"})
    body = response.json()
    assert body["success"] is True
    assert abs(body["result"]["pong"] - time.time()) < 60
    assert body["data"] == {}
