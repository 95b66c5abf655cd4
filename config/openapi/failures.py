"""What a call answers when it fails, by code: the envelope and its `info`."""

from typing import Any, NamedTuple

from config.errors import MESSAGES
from config.openapi.entities import JWT
from config.openapi.shapes import EMPTY, Shape, choice, example_of, record, text, whole

REASONS: Shape = {
    "type": "object",
    "additionalProperties": {"type": "string"},
    "examples": [{"created_by": "This field is required."}],
}


class Failure(NamedTuple):
    """One way to fail. `code` as in the answer's `result`; from 1000 the status is 422."""

    code: int
    when: str
    info: Shape

    @property
    def shape(self) -> Shape:
        result: dict[str, Shape] = {
            "code": {"const": self.code},
            "message": {"const": MESSAGES[self.code]},
            "info": self.info,
        }
        return record({"success": {"const": False}, "result": record(result), "data": EMPTY})

    @property
    def sentence(self) -> str:
        return f"{self.when[0].upper()}{self.when[1:]}."

    @property
    def example(self) -> Any:
        return example_of(self.shape)


def unknown(when: str, *infos: Shape) -> Failure:
    """What was named does not exist: `info` says what it was."""
    return Failure(422, when, infos[0] if len(infos) == 1 else {"oneOf": list(infos)})


def not_started(process: str) -> Failure:
    """The job can't be started."""
    info = {"process": choice(process), "reason": text("the project's database does not exist")}
    return Failure(1003, "the job could not be started", record(info))


INVALID_NAME = Failure(
    1001,
    "a name is blank, longer than 200 characters, has control characters or imitates a default",
    REASONS | {"examples": [{"name": "must not be blank"}]},
)
VERSION_UNKNOWN = unknown(
    "no such version that can be restored", record({"version": whole(999, 0)})
)
RANGE_NOT_SATISFIABLE = Failure(
    416, "the range begins behind the end of the file", record({"size": whole(41943040)})
)
JOB_UNKNOWN = unknown("the project has no such job", record({"job": text("no such token")}))
CURSOR_UNKNOWN = unknown(
    "the log does not know the cursor: call init again", record({"reset": {"const": True}})
)

# Those that any call can answer, each kept once in the document: status -> its name and failure.
COMMON: dict[int, tuple[str, Failure]] = {
    400: (
        "BadRequest",
        Failure(
            400,
            "the body is no JSON object, a parameter is missing, mistyped or wrong, or the host is"
            " not the service's",
            REASONS,
        ),
    ),
    401: (
        "PermissionDenied",
        Failure(401, "no, bad, expired or revoked token, wrong credentials or API key", EMPTY),
    ),
    403: (
        "Forbidden",
        Failure(
            403,
            "not an active member of the project, the role does not allow it, or no such project",
            EMPTY,
        ),
    ),
    404: ("NotFound", Failure(404, "no such path", EMPTY)),
    405: ("MethodNotAllowed", Failure(405, "another method is used on this path", EMPTY)),
    413: (
        "TooLarge",
        Failure(413, "the body is longer than a megabyte, a file than IMPORT_BYTES", EMPTY),
    ),
    415: (
        "UnsupportedMediaType",
        Failure(
            415,
            "the body is not `application/json`, or for an import not `multipart/form-data`",
            EMPTY,
        ),
    ),
    429: (
        "TooManyRequests",
        Failure(
            429,
            "called too often, or too many transfers at once",
            record({"retry_after": whole(17, 0)}),
        ),
    ),
    500: (
        "ServerError",
        Failure(
            500,
            "a fault of the service, logged with this id",
            record({"request_id": text("5b1f0c6a9d1e4f7c8a2b3d4e5f607182")}),
        ),
    ),
}

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "The id of this request in the service's logs.",
        "required": True,
        "schema": text("5b1f0c6a9d1e4f7c8a2b3d4e5f607182", pattern="^[0-9a-f]{32}$"),
    },
    "Authorization": {
        "description": "The renewed token, without `Bearer`: to be used from now on.",
        "required": True,
        "schema": text(JWT, pattern=r"^[\w-]+\.[\w-]+\.[\w-]+$"),
    },
    "WWW-Authenticate": {
        "description": "Asks for a token.",
        "required": True,
        "schema": text('Bearer realm="savepoint"'),
    },
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "required": True,
        "schema": text("17", pattern="^[0-9]+$"),
    },
    "Accept-Ranges": {
        "description": "Parts can be asked for.",
        "required": True,
        "schema": {"const": "bytes"},
    },
    "ETag": {
        "description": "The same for the same bytes; for If-Range.",
        "required": True,
        "schema": text('"9f86d081884c7d65"', pattern='^"[0-9a-f]+"$'),
    },
    "Repr-Digest": {
        "description": "The SHA-256 of the whole file (RFC 9530), also with a part of it.",
        "required": True,
        "schema": text("sha-256=:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=:"),
    },
    "Content-Range": {
        "description": "Which bytes of how many.",
        "required": True,
        "schema": text("bytes 0-1023/41943040"),
    },
    "Allow": {
        "description": "The methods that the path knows.",
        "required": True,
        "schema": text("POST, OPTIONS"),
    },
}
HEADERS_OF = {401: ["WWW-Authenticate"], 405: ["Allow"], 429: ["Retry-After"]}


def headers(*names: str) -> dict[str, Any]:
    """References to these headers and to that of every answer."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}


def common_responses() -> dict[str, Any]:
    """The `responses` that the document keeps once."""
    return {
        name: {
            "description": failure.sentence,
            "headers": headers(*HEADERS_OF.get(status, [])),
            "content": {"application/json": {"schema": failure.shape, "example": failure.example}},
        }
        for status, (name, failure) in COMMON.items()
    }
