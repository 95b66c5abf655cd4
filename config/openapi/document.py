"""The whole document: what stands around its operations."""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from config.openapi.calls import TAGS
from config.openapi.failures import HEADERS, common_responses
from config.openapi.frames import FRAMES
from config.openapi.shapes import COMPONENTS


def add_shared_parts(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add what operations refer to. A postprocessing hook of drf-spectacular."""
    parts = {"schemas": COMPONENTS | FRAMES, "responses": common_responses(), "headers": HEADERS}
    for kind, entries in parts.items():
        result["components"].setdefault(kind, {}).update(entries)
    result["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    return result


@cache
def whole_document() -> dict[str, Any]:
    """The document of /api/schema. The same for everybody, so it is made once in a process."""
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return document
