"""JSON Schema in few words. Each leaf carries an example; `example_of` puts them together."""

from collections.abc import Container
from typing import Any

Shape = dict[str, Any]


def text(example: str, **more: Any) -> Shape:
    return {"type": "string", "examples": [example], **more}


def choice(*values: str) -> Shape:
    return {"type": "string", "enum": list(values)}


def whole(example: int, minimum: int = 0, **more: Any) -> Shape:
    return {"type": "integer", "minimum": minimum, "examples": [example], **more}


def nullable(shape: Shape) -> Shape:
    """The shape or null; the example is the shape's."""
    return {"anyOf": [shape, {"type": "null"}]}


def always_null() -> Shape:
    return {"type": "null", "examples": [None]}


def list_of(shape: Shape, *examples: Any, **more: Any) -> Shape:
    found: Shape = {"type": "array", "items": shape, **more}
    return found | ({"examples": [list(examples)]} if examples else {})


def keyed(example_key: str, shape: Shape) -> Shape:
    """An object whose keys are gids or the like, each with a value of this shape."""
    return {
        "type": "object",
        "propertyNames": {"examples": [example_key]},
        "additionalProperties": shape,
    }


def record(
    fields: dict[str, Shape], optional: dict[str, Shape] | None = None, **more: Any
) -> Shape:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "properties": fields | (optional or {}),
        "required": list(fields),
        "additionalProperties": False,
        **more,
    }


def anything(example: dict[str, Any], **more: Any) -> Shape:
    """An object whose keys are not fixed."""
    return {"type": "object", "additionalProperties": True, "examples": [example], **more}


EMPTY: Shape = {"type": "object", "maxProperties": 0, "examples": [{}]}

COMPONENTS: dict[str, Shape] = {}


def named(name: str, shape: Shape) -> Shape:
    """A reference to the shape, kept once in the document under this name."""
    COMPONENTS[name] = shape
    return {"$ref": f"#/components/schemas/{name}"}


def example_of(shape: Shape, brief: Container[str] = ()) -> Any:
    """One value of this shape: its own example, or what its parts' examples make.

    A text stands for each part that is named in `brief`: `(Project)` for a whole project.
    """
    if "$ref" in shape:
        name = shape["$ref"].rpartition("/")[2]
        return f"({name})" if name in brief else example_of(COMPONENTS[name], brief)
    if "examples" in shape:
        return shape["examples"][0]
    if "const" in shape:
        return shape["const"]
    if "enum" in shape:
        return shape["enum"][0]
    if "propertyNames" in shape:
        value = example_of(shape["additionalProperties"], brief)
        return {example_of(shape["propertyNames"]): value}
    for several in ("anyOf", "oneOf"):
        if several in shape:
            return example_of(shape[several][0], brief)
    if shape["type"] == "array":
        return [example_of(shape["items"], brief)]
    return {name: example_of(shape["properties"][name], brief) for name in shape["required"]}
