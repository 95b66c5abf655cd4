"""The description of the API agrees with the routes, with itself and with its page."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from config.openapi.document import whole_document
from config.openapi.page import MARK, PAGE, written
from tests.config.test_routes import API
from tests.shapes import check

# They are this document and its page.
NOT_DESCRIBED = {"api/schema", "api/docs/"}
DOCUMENT = whole_document()


def test_every_route_is_described_and_no_other_is() -> None:
    described = {
        path.lstrip("/").replace("{gid}", "<str:gid>").replace("{version}", "<int:version>")
        for path in DOCUMENT["paths"]
    }
    assert described == set(API) - NOT_DESCRIBED


@pytest.mark.django_db
def test_the_methods_of_each_route_are_described(client: Client) -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method in ("get", "post", "put", "patch", "delete"):
            is_known = (
                client.generic(method.upper(), path.replace("{version}", "1")).status_code != 405
            )
            is_protected = "401" in next(iter(methods.values()))["responses"]
            assert is_known >= (method in methods)
            assert is_protected or is_known == (method in methods), f"{method} {path}"


def contents(part: Any) -> Iterator[dict[str, Any]]:
    """Everything that has a schema and examples of it."""
    if isinstance(part, dict):
        if "schema" in part and ("example" in part or "examples" in part):
            yield part
        for item in part.values():
            yield from contents(item)


def test_every_example_is_of_its_shape() -> None:
    found = list(contents(DOCUMENT["paths"])) + list(contents(DOCUMENT["components"]))
    assert len(found) > 60
    for content in found:
        examples = [item["value"] for item in content.get("examples", {}).values()]
        for example in [content["example"]] if "example" in content else examples:
            check(content["schema"], example)


def shapes(part: Any) -> Iterator[dict[str, Any]]:
    """Every schema with examples of its own."""
    if isinstance(part, dict):
        if isinstance(part.get("examples"), list):
            yield part
        for item in part.values():
            yield from shapes(item)
    elif isinstance(part, list):
        for item in part:
            yield from shapes(item)


def test_every_example_of_a_part_is_of_its_shape() -> None:
    found = list(shapes(DOCUMENT))
    assert len(found) > 100
    for shape in found:
        for example in shape["examples"]:
            check(shape, example)


def test_the_page_is_what_the_document_says() -> None:
    assert PAGE.read_text().partition(MARK)[2] == written(DOCUMENT), "run manage.py api_page"


def test_every_operation_has_its_own_id_a_summary_and_a_tag() -> None:
    operations = [item for methods in DOCUMENT["paths"].values() for item in methods.values()]
    assert len({item["operationId"] for item in operations}) == len(operations)
    known = {tag["name"] for tag in DOCUMENT["tags"]}
    assert all(item["summary"] and set(item["tags"]) <= known for item in operations)


def check_response(name: str, response: HttpResponse) -> None:
    """The answer has the shape and the headers of the response that is kept under this name."""
    told = DOCUMENT["components"]["responses"][name]
    check(told["content"]["application/json"]["schema"], json.loads(response.content))
    for header in told["headers"]:
        check(DOCUMENT["components"]["headers"][header]["schema"], response[header])


@pytest.mark.django_db
def test_too_many_calls_are_answered_as_described(client: Client, settings: Any) -> None:
    settings.THROTTLE_RATES = settings.THROTTLE_RATES | {"sign_in_name": "1/m"}
    body = {"username": "told too often", "password": "x"}
    for name in ("PermissionDenied", "TooManyRequests"):
        response = client.post("/api/login", body, content_type="application/json")
        check_response(name, response)


@pytest.mark.django_db
def test_a_fault_of_ours_is_answered_as_described(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.signin.sign_in", lambda *_: 1 / 0)
    body = {"username": "a", "password": "b"}
    check_response("ServerError", client.post("/api/login", body, content_type="application/json"))


def test_the_document_and_its_page_are_for_everybody_and_from_here(client: Client) -> None:
    assert client.get("/api/schema").json() == DOCUMENT
    page = client.get("/api/docs/")
    assert page.status_code == 200
    assert b"://" not in page.content
    assert b'src="/static/drf_spectacular_sidecar/swagger-ui-dist/' in page.content
