"""docs/api.md: what follows its mark is written from the document that /api/schema serves.

`manage.py api_page` writes it after a change of the API; a test compares.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from config.errors import MESSAGES
from config.openapi.entities import ENTITIES, VERSION
from config.openapi.failures import (
    INVALID_NAME,
    RANGE_NOT_SATISFIABLE,
    VERSION_UNKNOWN,
    not_started,
)
from config.openapi.shapes import COMPONENTS, example_of
from projects import idempotency

PAGE = Path(__file__).parent.parent.parent / "docs" / "api.md"
MARK = "<!-- From here on written by `manage.py api_page`. -->\n"
WIDTH = 100

Document = dict[str, Any]


def compact(value: Any, indent: int = 0, used: int = 0) -> str:
    """JSON, on one line where it fits."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or indent + used + len(line) < WIDTH:
        return line
    inside = " " * (indent + 2)
    if isinstance(value, list):
        items = [inside + compact(item, indent + 2, 1) for item in value]
        return "[\n" + ",\n".join(items) + "\n" + " " * indent + "]"
    items = [
        f"{inside}{json.dumps(name)}: {compact(item, indent + 2, len(name) + 5)}"
        for name, item in value.items()
    ]
    return "{\n" + ",\n".join(items) + "\n" + " " * indent + "}"


def block(value: Any) -> str:
    return f"```json\n{compact(value)}\n```\n"


def _kind(shape: Document) -> str:
    """A parameter's type and bounds in a few words."""
    if "enum" in shape:
        return " or ".join(f"`{value}`" for value in shape["enum"])
    kind = "whole number" if shape["type"] == "integer" else str(shape["type"])
    if "items" in shape:
        kind = f"list of at most {shape['maxItems']}, each a {_kind(shape['items'])}"
    elif "maxLength" in shape:
        kind += f" of at most {shape['maxLength']} characters"
    elif shape.get("maximum", 2**63 - 1) < 2**63 - 1:
        kind += f", {shape['minimum']} to {shape['maximum']}"
    return kind


def _parameters(shape: Document) -> Iterator[str]:
    for name, parameter in shape["properties"].items():
        need = "required" if name in shape.get("required", []) else "optional"
        note = f". {parameter['description']}" if "description" in parameter else ""
        line = f"- `{name}`: {_kind(parameter)}, {need}{note}"
        yield textwrap.fill(line, WIDTH, subsequent_indent="  ") + "\n"
    if one_of := shape.get("anyOf"):
        names = " or ".join(f"`{item['required'][0]}`" for item in one_of)
        yield f"\n{names} must be there.\n"


def _failures(operation: Document, document: Document) -> str:
    """The codes of an operation that are not those of every call."""
    told = []
    for status, response in operation["responses"].items():
        if "$ref" not in response and not status.startswith("2"):
            told.append(response["description"].removesuffix("."))
        elif status in ("401", "403") or (status == "400" and "requestBody" in operation):
            told.append(f"`{status}`")
    return ", ".join(told)


_CURL = 'curl -sS -H "Authorization: Bearer $TOKEN"'


def _path(path: str) -> str:
    return path.replace("{gid}", "$GID").replace("{version}", str(VERSION))


def _form(example: Document, path: str) -> str:
    """A shell line that sends a form with a file."""
    fields = [
        f"-F {name}='{'@' * (name == 'upload_file')}{value}'" for name, value in example.items()
    ]
    return f'```sh\n{_CURL} \\\n    {" ".join(fields)} \\\n    "$URL{_path(path)}"\n```\n'


def _wrapped(*sentences: str) -> str:
    return textwrap.fill(" ".join(filter(None, sentences)), WIDTH) + "\n\n"


def section(path: str, methods: Document, document: Document) -> Iterator[str]:
    """One path: what it takes, what it answers, how it fails."""
    operation = methods.get("post") or methods["get"]
    verbs = " or ".join(method.upper() for method in sorted(methods))
    yield f"\n### {verbs} {path.replace('{', '<').replace('}', '>')}\n\n"
    takes_key = any(item["name"] == idempotency.HEADER for item in operation.get("parameters", []))
    yield _wrapped(
        f"{operation['summary']}.",
        operation.get("description", ""),
        "Takes the header `Idempotency-Key`." if takes_key else "",
    )
    if body := operation.get("requestBody"):
        ((kind, content),) = body["content"].items()
        yield from _parameters(content["schema"])
        if kind == "application/json":
            yield f"\n{block(content['example'])}\n"
        else:
            yield f"\n{_form(content['example'], path)}\n"
    ((kind, content),) = operation["responses"]["200"]["content"].items()
    if kind == "application/json":
        yield "Answer:\n\n" + block(example_of(content["schema"], brief=ENTITIES))
    else:
        yield f'```sh\n{_CURL} -C - -o shop.sqlite3 "$URL{_path(path)}"\n```\n'
    if failures := _failures(operation, document):
        yield "\n" + _wrapped(f"Fails with {failures}.")


def errors(document: Document) -> Iterator[str]:
    yield "\n## When it fails\n\n"
    responses = document["components"]["responses"].values()
    shown = [item["content"]["application/json"]["example"] for item in responses]
    yield block(shown[0])
    yield "\nThe status is the code; codes from 1000 come with status 422.\n\n"
    yield "| code | message | when | info |\n|---|---|---|---|\n"
    for response, example in zip(responses, shown, strict=True):
        headers = [name for name in response["headers"] if name != "X-Request-Id"]
        also = f" With the header `{headers[0]}`." if headers else ""
        result = example["result"]
        info = f"`{json.dumps(result['info'])}`" if result["info"] else ""
        when = response["description"] + also
        yield f"| {result['code']} | {result['message']} | {when} | {info} |\n"
    for failure in (RANGE_NOT_SATISFIABLE, VERSION_UNKNOWN, INVALID_NAME, not_started("backup")):
        when = "What was named does not exist." if failure.code == 422 else failure.sentence
        info = json.dumps(failure.example["result"]["info"])
        yield f"| {failure.code} | {MESSAGES[failure.code]} | {when} | `{info}` |\n"


def entities() -> Iterator[str]:
    yield "\n## What answers tell of\n\n"
    yield "In the answers below, `(Project)` stands for a whole project, and so on.\n"
    for name in ENTITIES:
        yield f"\n### {name}\n\n{block(example_of(COMPONENTS[name]))}"


def written(document: Document) -> str:
    """All that follows the mark."""
    parts: list[str] = [*errors(document), *entities()]
    for tag in document["tags"]:
        parts.append(f"\n## {tag['name']}\n\n{tag['description']}\n")
        for path, methods in document["paths"].items():
            if tag["name"] in next(iter(methods.values()))["tags"]:
                parts += section(path, methods, document)
    return re.sub("\n{3,}", "\n\n", "".join(parts)).rstrip("\n") + "\n"
