"""Values checked against the shapes of the API's description."""

from typing import Any

from jsonschema import Draft202012Validator

from config.openapi.document import whole_document


def check(shape: dict[str, Any], value: Any) -> None:
    """Raise ValidationError unless the value is of this shape."""
    # References lead into the whole document: they look for it around the shape.
    around = {"components": whole_document()["components"]}
    Draft202012Validator(shape | around).validate(value)


def named(name: str) -> dict[str, Any]:
    """The shape that the document keeps under this name."""
    shape: dict[str, Any] = whole_document()["components"]["schemas"][name]
    return shape
