"""The frames of the websocket, as shapes beside those of the answers."""

from config.openapi.entities import CURSOR, CURSOR_SHAPE, EVENT, JWT, PROJECT
from config.openapi.failures import CURSOR_UNKNOWN
from config.openapi.shapes import Shape, list_of, record, text, whole
from jobs.consumers import FRAME_EVENTS

TOKEN = text(JWT)


def _frame(kind: str, fields: dict[str, Shape]) -> Shape:
    return record({"type": {"const": kind}} | fields)


SERVER_FRAME: Shape = {
    "description": "What the server sends on /sync/ws.",
    "oneOf": [
        _frame("connect", {"cc.cursor": CURSOR_SHAPE}),
        _frame("sync", {"sync": list_of(EVENT, minItems=1, maxItems=FRAME_EVENTS)}),
        _frame("authorization", {"JWT": TOKEN}),
        _frame("error", {"result": CURSOR_UNKNOWN.shape["properties"]["result"]}),
    ],
}

CLIENT_FRAME: Shape = {
    "description": "What a client sends on /sync/ws. Further keys are ignored.",
    "type": "object",
    "properties": {
        "type": {"const": "connect"},
        "JWT": TOKEN,
        "cc_cursor": whole(CURSOR, maximum=2**63 - 1),
        "projects": {"anyOf": [list_of(PROJECT), {"type": "null"}]},
    },
    "required": ["type"],
    "examples": [{"type": "connect", "JWT": JWT, "cc_cursor": CURSOR}],
}

FRAMES = {"ServerFrame": SERVER_FRAME, "ClientFrame": CLIENT_FRAME}
