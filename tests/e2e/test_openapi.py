"""The description of the API against a running service: nothing is answered that it does not tell."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

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

ALWAYS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SIGNED_IN = [*ALWAYS, negative_data_rejection, unsupported_method]
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


SIGN_IN = r"(login|auth|token|refresh)/?$"
EVERYTHING = described(examples=8)
PUBLIC = described(examples=4).include(path_regex=SIGN_IN)
PROTECTED = described(examples=3, coverage=False).exclude(path_regex=SIGN_IN)


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
    """A person whose projects are thrown away. Where a call names something, it is made his own:
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
        gid = (case.path_parameters or {}).get("gid")
        if isinstance(gid, str) and is_gid(gid):
            case.path_parameters = {"gid": self.project}
        if isinstance(case.body, dict):
            case.body = self.made_own(case.body)
        if case.path in ("/api/projects/undelete", "/api/projects/permanent_delete"):
            self.post("/api/projects/delete", {"project": self.project})
        response = case.call(self.url, headers={"Authorization": f"Bearer {self.token}"})
        case.validate_response(response, checks=SIGNED_IN)
        if response.status_code < 400 and not is_sign_in(case):
            self.token = response.headers["authorization"][0]
            if case.path.startswith("/api/projects/") and "delete" in case.path:
                self.renew_project()


def is_sign_in(case: Any) -> bool:
    return not case.operation.definition.raw.get("security")


@pytest.fixture(scope="module")
def player(own: Service) -> Player:
    return Player(own)


@EVERYTHING.parametrize()
def test_nothing_is_answered_that_the_document_does_not_tell(case: Any, player: Player) -> None:
    player.play(case)


@PUBLIC.parametrize()
def test_who_is_not_signed_in_is_answered_as_the_document_tells(case: Any, own: Service) -> None:
    case.validate_response(case.call(own.url), checks=ALWAYS)


@PROTECTED.parametrize()
def test_who_is_not_signed_in_is_told_so_and_no_more(case: Any, own: Service) -> None:
    response = case.call(own.url)
    case.validate_response(response, checks=ALWAYS)
    if not is_sign_in(case):
        assert response.status_code in (401, 404)
