"""The envelope of every answer, and the strict reading of every body.

Imports no views: the framework resolves these classes while its own view module is loading.
"""

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer

MAX_DEPTH = 32


class BodyTooLarge(APIException):
    """The request's body is longer than this service reads."""

    status_code = 413
    default_detail = "Request entity too large"
    default_code = "too_large"


class OneRenderer(BaseContentNegotiation):
    """Whatever a client says that it accepts, it gets the envelope."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        return DefaultContentNegotiation().select_parser(request, parsers)

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class EnvelopeRenderer(JSONRenderer):
    """Writes what a view returned, `{"result": ..., "data": ...}`, as the three-key envelope."""

    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        payload = data or {}
        return super().render(
            {
                "success": payload.get("success", True),
                "result": payload.get("result", {}),
                "data": payload.get("data", {}),
            },
            accepted_media_type,
            renderer_context,
        )


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


class ObjectParser(BaseParser):
    """Reads a JSON object and refuses all else: other JSON values, NaN, a key given twice."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLarge
        if not body.strip():
            return {}
        try:
            value = json.loads(
                body.decode("utf-8"),
                parse_constant=_refuse_constant,
                object_pairs_hook=_refuse_duplicates,
            )
        except (ValueError, RecursionError) as error:
            raise ParseError({"body": f"not valid JSON: {str(error)[:200]}"}) from error
        if not isinstance(value, dict):
            raise ParseError({"body": "must be a JSON object"})
        if _depth(value) > MAX_DEPTH:
            raise ParseError({"body": f"nested deeper than {MAX_DEPTH} levels"})
        return value
