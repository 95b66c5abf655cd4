"""Ping, sign-in and init."""

from rest_framework.views import APIView

from config import signin
from config.openapi.call import Call
from config.openapi.entities import (
    CURSOR_SHAPE,
    JWT,
    LANGUAGE,
    MEMBERSHIPS,
    PROJECT,
    PROJECT_ENTITY,
    PROJECT_GID,
    ROLES,
    USER,
    USER_GID,
    gid,
    timestamp,
)
from config.openapi.shapes import EMPTY, Shape, keyed, list_of, nullable, record, text, whole

TAG = "Sign in"
SECRET = "correct horse battery staple"  # noqa: S105 - of the examples
KEY = "sp_3f9c0a7be251_2m5tY0cB1n9wq3uLk8eVx7RzA4sDfGhJ6pQoT_iUyWE"

STARTS: Shape = record(
    {
        "user": gid(USER_GID),
        "user_projects": keyed(PROJECT_GID, ROLES),
        "cc.version": text("2026.11.001", pattern=r"^\d{4}\.\d{2}\.\d{3}$"),
        "cc.tools": record(
            {"sqlite": text("3.54.1", pattern=r"^\d+\.\d+\.\d+$")},
            description="The versions of what reads and writes the project databases.",
        ),
        "cc.cursor": CURSOR_SHAPE,
    }
)
ENTITIES = {
    "cc.users": keyed(USER_GID, USER),
    "cc.projects": keyed(PROJECT_GID, PROJECT_ENTITY),
    "cc.projects_members": MEMBERSHIPS,
    "cc.languages": keyed("en", LANGUAGE),
}
PROJECT_STARTS = record(
    STARTS["properties"]
    | {
        "project": PROJECT,
        "project_members": list_of(gid(USER_GID)),
        "last_backed_up": nullable(timestamp()),
        "cursor": whole(0, maximum=0, description="A project has no log of its own yet."),
    }
)
PROJECT_ENTITIES = record(
    ENTITIES | dict.fromkeys(("definitions", "classes", "fields", "layouts", "queries"), EMPTY)
)
CREDENTIALS = {"username": "ada", "password": SECRET}

CALLS: dict[type[APIView], Call] = {
    signin.PingView: Call(
        TAG,
        "Whether the service is there",
        record({"pong": timestamp()}),
        description="Needs no token.",
    ),
    signin.LoginView: Call(
        TAG,
        "Sign in as a person",
        STARTS,
        record(ENTITIES),
        takes=signin.LoginParameters,
        body=CREDENTIALS,
        signs_in=True,
        description="The token comes in the `Authorization` header of the answer.",
    ),
    signin.InitView: Call(
        TAG,
        "What a client of all of one's projects starts from",
        STARTS,
        record(ENTITIES),
        description="Follow the event log from `cc.cursor` and nothing is missed.",
    ),
    signin.ProjectLoginView: Call(
        TAG,
        "Sign in as a person, to one project",
        PROJECT_STARTS,
        PROJECT_ENTITIES,
        takes=signin.LoginParameters,
        body=CREDENTIALS,
        signs_in=True,
        forbids=True,
        description="The token comes in the `Authorization` header of the answer.",
    ),
    signin.ProjectKeyView: Call(
        TAG,
        "Sign in with an API key",
        PROJECT_STARTS,
        PROJECT_ENTITIES,
        takes=signin.KeyParameters,
        body={"api_key": KEY},
        signs_in=True,
        forbids=True,
        description="The caller is the key's own user. The token comes in the `Authorization`"
        " header of the answer.",
    ),
    signin.ProjectInitView: Call(
        TAG,
        "What a client of one project starts from",
        PROJECT_STARTS,
        PROJECT_ENTITIES,
        description="Follow the event log from `cc.cursor` and nothing is missed.",
    ),
    signin.TokenView: Call(
        TAG,
        "A pair of tokens",
        record({"access": text(JWT), "refresh": text(JWT)}),
        takes=signin.LoginParameters,
        body=CREDENTIALS,
        description="For clients that renew by a call of its own.",
    ),
    signin.TokenRefreshView: Call(
        TAG,
        "A new token for a refresh token",
        record({"access": text(JWT)}),
        takes=signin.RefreshParameters,
        body={"refresh": JWT},
    ),
}
