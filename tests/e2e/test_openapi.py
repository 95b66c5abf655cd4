"""The description of the API against a running service: nothing is answered that it does not tell."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from config.openapi.document import whole_document
from tests.service import Client, Service
from tests.shapes import check

OF_ANSWERS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
CHECKS = [*OF_ANSWERS, negative_data_rejection, unsupported_method]
PASSWORD = "a long enough password"


def described(examples: int, coverage: bool = True) -> Any:
    """The document, to be tried with so many generated calls for each operation.

    `coverage` adds what lies on and beyond each bound that the document gives.
    """
    config = {
        "seed": 20261123,
        "generation": {"deterministic": True, "max-examples": examples, "no-shrink": True},
        "phases": {"coverage": {"enabled": coverage}},
        "warnings": False,
    }
    return schemathesis.openapi.from_dict(
        whole_document(), config=schemathesis.Config.from_dict(config)
    )


# These look at no token: for them it makes no difference who asks.
PUBLIC = r"(ping|login|auth|token/|refresh/)$"
FOR_ALL = described(examples=4).include(path_regex=PUBLIC)
SIGNED_IN = described(examples=8).exclude(path_regex=PUBLIC)
SIGNED_OUT = described(examples=3, coverage=False).exclude(path_regex=PUBLIC)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of this module's own: what is generated deletes projects and revokes keys."""
    running = Service(tmp_path_factory.mktemp("openapi"))
    running.start(megabytes=1)
    running.shell(
        "from projects.services import create_user\n"
        + "".join(
            f"create_user(username={name!r}, password={PASSWORD!r})\n"
            for name in ("generated", "helper")
        )
    )
    yield running
    running.end()


def is_gid(value: str) -> bool:
    try:
        return bool(UUID(value))
    except ValueError:
        return False


class Player(Client):
    """A person whose projects are thrown away. Where a call names something, it is made their own:
    else most generated calls would end at 403.
    """

    def __init__(self, service: Service) -> None:
        super().__init__(service.url, "")
        self.helper = self.call("/api/login", username="helper", password=PASSWORD)["user"]
        self.call("/api/login", username="generated", password=PASSWORD)
        self.renew_project()

    def renew_project(self) -> None:
        self.project = self.call("/api/projects/create")["project"]
        self.job = self.create()["job.token"]
        path = f"/api/p/{self.project}"
        self.prefix = self.call(f"{path}/api_keys/create", name="key", role="member")["prefix"]
        self.call(f"{path}/members/set", user=self.helper, role="viewer")
        self.places = {
            **dict.fromkeys(("gid", "project", "projects", "confirm"), self.project),
            **dict.fromkeys(("user", "users", "member"), self.helper),
            **dict.fromkeys(("job", "jobs"), self.job),
            "prefix": self.prefix,
        }

    def made_own(self, value: Any, name: str = "") -> Any:
        """The value with the names of what exists: for gids, and for half of all other texts."""
        if isinstance(value, dict):
            return {key: self.made_own(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self.made_own(item, name) for item in value]
        if isinstance(value, str) and (is_gid(value) or len(value) % 2):
            return self.places.get(name, value)
        return value

    def play(self, case: Any) -> None:
        named = case.path_parameters or {}
        gid = named.get("gid")
        if isinstance(gid, str) and is_gid(gid):
            case.path_parameters = {**named, "gid": self.project}
        if isinstance(case.body, dict):
            case.body = self.made_own(case.body)
        if case.path in ("/api/projects/undelete", "/api/projects/permanent_delete"):
            self.post("/api/projects/delete", {"project": self.project})
        response = case.call(self.url, headers={"Authorization": f"Bearer {self.token}"})
        case.validate_response(response, checks=CHECKS)
        if response.status_code < 400:
            self.token = response.headers["authorization"][0]
            if case.path.startswith("/api/projects/") and "delete" in case.path:
                self.renew_project()


@pytest.fixture(scope="module")
def player(own: Service) -> Player:
    return Player(own)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/p/%00/init", 403),
        ("GET", "/api/p/%FF/init", 403),
        ("GET", "/api/p/%ED%A0%80/init", 403),
        ("GET", "/api/p/%2e%2e/init", 403),
        ("GET", f"/api/p/{'a' * 9000}/init", 403),
        ("GET", "/api/p/a%2Fb/init", 404),
        ("GET", "/api/p//init", 404),
        ("GET", "/api/ping%0A", 404),
        ("GET", "/api//ping", 404),
        ("POST", "/api/token", 404),
        ("POST", "/api/schema/", 404),
        ("PROPFIND", "/api/ping", 405),
        ("TRACE", "/api/init", 405),
        ("POST", "/api/schema", 405),
        ("OPTIONS", "/api/schema", 405),
        ("POST", "/api/docs/", 405),
        ("OPTIONS", "/api/docs/", 405),
        ("OPTIONS", "/api/init", 200),
    ],
)
def test_odd_paths_and_methods_are_answered_in_the_envelope(
    player: Player, method: str, path: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {player.token}"}
    response = httpx.request(method, player.url + path, headers=headers)
    assert response.status_code == status
    assert set(response.json()) == {"success", "result", "data"}


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Authorization", b"Bearer", 401),
        ("Authorization", b"Bearer \xff", 401),
        ("Authorization", b"Bearer a.b.c", 401),
        ("Authorization", b"Bearer eyJhbGciOiJub25lIn0.e30.", 401),
        ("Authorization", b"Bearer " + b"a" * 9000, 401),
        ("Idempotency-Key", b"", 400),
        ("Idempotency-Key", b"a\tb", 400),
        ("Idempotency-Key", b"\xe9", 400),
        ("Idempotency-Key", b"x" * 256, 400),
        ("Content-Type", b"", 415),
        ("Content-Type", b"\xe9", 415),
        ("Content-Type", b"multipart/form-data", 415),
        ("Accept", b"text/html", 200),
        ("Accept", b"application/json;indent=99999999999999999999", 200),
        ("Cookie", b"sessionid=\xff", 200),
        ("X-Forwarded-For", b"\xff", 200),
        ("Host", b"elsewhere.example", 400),
    ],
)
def test_odd_headers_are_answered_in_the_envelope(
    player: Player, name: str, value: bytes, status: int
) -> None:
    own = {"Authorization": f"Bearer {player.token}".encode(), "Content-Type": b"application/json"}
    response = httpx.post(
        f"{player.url}/api/p/{player.project}/backups/create",
        content=b'{"created_by": "me"}',
        headers=own | {name: value},
    )
    assert response.status_code == status
    assert set(response.json()) == {"success", "result", "data"}


def test_a_body_that_is_too_large_is_answered_as_described(player: Player) -> None:
    response = player.post("/api/init", {"text": "x" * 1_100_000})
    told = whole_document()["components"]["responses"]["TooLarge"]
    assert response.status_code == 413
    check(told["content"]["application/json"]["schema"], response.json())
    assert set(told["headers"]) <= {name.title() for name in response.headers}


@SIGNED_IN.parametrize()
def test_who_is_signed_in_is_answered_as_the_document_tells(case: Any, player: Player) -> None:
    player.play(case)


@FOR_ALL.parametrize()
def test_everybody_is_answered_as_the_document_tells(case: Any, own: Service) -> None:
    case.validate_response(case.call(own.url), checks=CHECKS)


@SIGNED_OUT.parametrize()
def test_who_is_not_signed_in_is_told_so_and_no_more(case: Any, own: Service) -> None:
    response = case.call(own.url)
    case.validate_response(response, checks=OF_ANSWERS)
    assert response.status_code in (401, 404)
