"""How drf-spectacular describes an endpoint: from its view, and from its line in the tables."""

from typing import Any

from drf_spectacular.drainage import warn
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import permissions
from rest_framework.views import APIView

from config.openapi.call import Call
from config.openapi.calls import CALLS
from config.openapi.entities import PROJECT_GID
from config.openapi.entities import VERSION as EXAMPLE_VERSION
from config.openapi.failures import COMMON, RANGE_NOT_SATISFIABLE, Failure, headers
from config.openapi.shapes import Shape, text, whole
from projects import idempotency
from projects.permissions import ProjectView

GID = OpenApiParameter(
    "gid",
    text(PROJECT_GID, format="uuid"),
    OpenApiParameter.PATH,
    required=True,
    description="The project's gid.",
)
VERSION = OpenApiParameter(
    "version",
    whole(EXAMPLE_VERSION, maximum=2**63 - 1),
    OpenApiParameter.PATH,
    required=True,
    description="The version's number.",
)
RANGE = OpenApiParameter(
    "Range",
    text("bytes=0-1023"),
    OpenApiParameter.HEADER,
    description="One range of bytes, to go on with a download that was broken off; anything else"
    " is passed over.",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    idempotency.HEADER,
    text("2026-11-12-nightly", minLength=1, maxLength=idempotency.MAX_LENGTH, pattern="^[ -~]+$"),
    OpenApiParameter.HEADER,
    description="A call repeated with the same key within 24 hours gets the first answer again and"
    " does nothing; with another body, 400.",
)


class EnvelopeSchema(AutoSchema):
    """An operation as the tables of config/openapi/calls/ tell of it."""

    @property
    def call(self) -> Call:
        return CALLS[type(self.view)]

    def is_excluded(self) -> bool:
        if type(self.view) in CALLS:
            return False
        warn(f"{type(self.view).__qualname__} has no line in config/openapi/calls/")
        return True

    def get_operation_id(self) -> str:
        words = self.path.replace("/api/", "/").replace("/p/{gid}/", "/project/").strip("/")
        twice = self.method == "GET" and hasattr(self.view, "post")
        return words.replace("/", "_") + ("_by_get" if twice else "")

    def get_tags(self) -> list[str]:
        return [self.call.tag]

    def get_summary(self) -> str:
        return self.call.summary

    def get_description(self) -> str:  # type: ignore[override]
        return self.call.description

    def get_override_parameters(self) -> list[Any]:
        parameters = [GID] if "{gid}" in self.path else []
        if self.call.gives_file:
            parameters += [VERSION, RANGE]
        return [*parameters, IDEMPOTENCY_KEY] if self.call.repeatable else parameters

    def get_response_serializers(self) -> None:
        """None: answers are described by shapes."""

    def _get_request_body(self, direction: str = "request") -> Shape | None:
        call = self.call
        if call.takes is None or self.method != "POST":
            return None
        shape = self._map_serializer(call.takes(), "request")  # type: ignore[no-untyped-call]
        shape.pop("description", None)
        for name, note in call.notes.items():
            shape["properties"][name] |= note
        if call.one_of:
            shape["anyOf"] = [{"required": [name]} for name in call.one_of]
        required = bool(call.one_of or shape.get("required"))
        if call.takes_file:
            shape["properties"]["upload_file"] |= {"contentMediaType": "application/vnd.sqlite3"}
            # What the view takes is the hash of the file, which may have no bytes.
            shape["properties"]["upload_file"].pop("minLength", None)
        content = {"schema": shape, "example": call.body}
        kind = "multipart/form-data" if call.takes_file else "application/json"
        return {"required": required, "content": {kind: content}}

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        responses: dict[str, Any] = {
            str(status): {"$ref": f"#/components/responses/{COMMON[status][0]}"}
            for status in self._common_statuses()
        }
        if self.call.gives_file:
            return dict(sorted((responses | self._file_responses()).items()))
        renewed = [] if self._is_public and not self.call.signs_in else ["Authorization"]
        responses["200"] = {
            "description": "Done.",
            "headers": headers(*renewed),
            "content": {
                "application/json": {"schema": self.call.answer, "example": self.call.example}
            },
        }
        if self.call.fails:
            responses["422"] = _unprocessable(self.call.fails)
        return dict(sorted(responses.items()))

    def _file_responses(self) -> dict[str, Any]:
        """Of an answer that is a file: the whole, a part, or neither."""
        content = {self.call.gives_file: {"schema": {"type": "string", "format": "binary"}}}
        told = headers("Authorization", "Accept-Ranges", "ETag", "Repr-Digest")
        parts = headers("Authorization", "Accept-Ranges", "ETag", "Repr-Digest", "Content-Range")
        beyond = RANGE_NOT_SATISFIABLE
        return {
            "200": {"description": "The file.", "headers": told, "content": content},
            "206": {"description": "A part of it.", "headers": parts, "content": content},
            "416": {
                "description": f"`416`: {beyond.when}.",
                "headers": headers("Content-Range"),
                "content": {
                    "application/json": {"schema": beyond.shape, "example": beyond.example}
                },
            },
            "422": _unprocessable(self.call.fails),
        }

    @property
    def _is_public(self) -> bool:
        return not any(
            isinstance(item, permissions.IsAuthenticated) for item in self.view.get_permissions()
        )

    def _common_statuses(self) -> set[int]:
        """Those of the usual failures that this endpoint can answer."""
        view: APIView = self.view
        statuses = {400, 405, 413, 500}
        if "{gid}" in self.path:
            # A gid with a slash in it makes another path.
            statuses |= {404}
        if self.call.takes and self.method == "POST":
            statuses |= {415}
        if not self._is_public or (self.call.takes and view.throttle_classes):
            statuses |= {401}
        if self.call.forbids or isinstance(view, ProjectView):
            statuses |= {403}
        if view.throttle_classes:
            statuses |= {429}
        return statuses


def _unprocessable(fails: tuple[Failure, ...]) -> dict[str, Any]:
    shapes = [failure.shape for failure in fails]
    return {
        "description": "; ".join(f"`{failure.code}`: {failure.when}" for failure in fails) + ".",
        "headers": headers(),
        "content": {
            "application/json": {
                "schema": shapes[0] if len(shapes) == 1 else {"oneOf": shapes},
                "examples": {str(failure.code): {"value": failure.example} for failure in fails},
            }
        },
    }


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "projects.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "From an answer's `Authorization` header: each successful call renews"
            " it.",
        }


class _FieldExtension(OpenApiSerializerFieldExtension):
    shape: Shape

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Shape:
        return dict(self.shape)


class NameField(_FieldExtension):
    target_class = "projects.parameters.NameParameter"
    shape = {"type": "string"}


class GidField(_FieldExtension):
    target_class = "projects.parameters.GidParameter"
    # One that is no gid names nothing that exists: it is refused as such, not as a bad parameter.
    shape = {"type": "string", "description": "A gid."}


class ObjectField(_FieldExtension):
    target_class = "projects.parameters.ObjectParameter"
    shape = {"type": "object", "additionalProperties": True}


class TimeField(_FieldExtension):
    target_class = "projects.parameters.TimeParameter"
    shape = {"type": "number", "description": "Seconds since the Unix epoch, UTC."}
