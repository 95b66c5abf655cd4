"""Ping, sign-in and init: what a client asks first. Composed of what all apps know."""

import time
from collections.abc import Iterable
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from backups.listing import last_backed_up
from backups.tools import TOOLS
from config.release import VERSION
from jobs.events import latest_cursor
from projects.access import gid_of, members_of, membership_for, memberships_of
from projects.authentication import read_token, sign_in, sign_in_with_key
from projects.models import ApiKey, Membership, Project, User
from projects.parameters import Parameters, TextParameter
from projects.permissions import ProjectView
from projects.serializers import (
    language_entities,
    membership_entity,
    project_entities,
    user_entity,
)
from projects.throttles import AddressThrottle, AnywhereThrottle, NameThrottle
from projects.tokens import RefreshToken, SessionToken

Payload = dict[str, dict[str, Any]]


class LoginParameters(Parameters):
    username = TextParameter(max_length=150)
    password = TextParameter(max_length=4096)


class KeyParameters(Parameters):
    api_key = TextParameter(max_length=200)


def _data(reader: User, projects: Iterable[Project], memberships: list[Membership]) -> Any:
    projects = list(projects)
    people = {reader.pk: reader}
    people |= {project.owner.pk: project.owner for project in projects}
    people |= {membership.user.pk: membership.user for membership in memberships}
    return {
        "cc.users": {str(user.gid): user_entity(user, reader) for user in people.values()},
        "cc.projects": project_entities(projects),
        "cc.projects_members": [membership_entity(membership) for membership in memberships],
        "cc.languages": language_entities(projects),
    }


def init_payload(user: User) -> Payload:
    """What a client of all of a user's projects starts from."""
    # The cursor first: what changes while the rest is read comes again as an event.
    cursor = latest_cursor()
    own = list(memberships_of(user))
    result = {
        "user": str(user.gid),
        "user_projects": {str(item.project.gid): item.roles for item in own},
        "cc.version": VERSION,
        "cc.tools": TOOLS,
        "cc.cursor": cursor,
    }
    return {"result": result, "data": _data(user, (item.project for item in own), own)}


def project_init_payload(membership: Membership) -> Payload:
    """What a client of one project starts from."""
    cursor = latest_cursor()
    user, project = membership.user, membership.project
    members = list(members_of([project]))
    result = {
        "user": str(user.gid),
        "user_projects": {str(item.project.gid): item.roles for item in memberships_of(user)},
        "project": str(project.gid),
        "project_members": [str(item.user.gid) for item in members],
        "last_backed_up": last_backed_up(project),
        "cc.version": VERSION,
        "cc.tools": TOOLS,
        "cc.cursor": cursor,
        # A project has no log of its own yet.
        "cursor": 0,
    }
    data = _data(user, [project], members)
    data |= {kind: {} for kind in ("definitions", "classes", "fields", "layouts", "queries")}
    return {"result": result, "data": data}


def _signed_in(payload: Payload, user: User, api_key: ApiKey | None = None) -> Response:
    response = Response(payload)
    response["Authorization"] = str(SessionToken.begin(user, api_key))
    return response


def _tokens(result: dict[str, str]) -> Response:
    return Response({"result": result}, headers={"Cache-Control": "no-store"})


class PublicView(APIView):
    """A view that needs no token, and does not look at one."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes: tuple[type[BaseThrottle], ...] = ()


class SignInView(PublicView):
    """A view that takes a password or a key: who guesses is slowed down."""

    throttle_classes = (AddressThrottle, NameThrottle, AnywhereThrottle)

    def check_throttles(self, request: Request) -> None:
        """What the first of them refuses is not counted by the others, as the framework would."""
        for throttle in self.get_throttles():
            if not throttle.allow_request(request, self):
                self.throttled(request, throttle.wait() or 1)


class PingView(PublicView):
    """GET /api/ping"""

    def get(self, request: Request) -> Response:
        return Response({"result": {"pong": time.time()}})


class LoginView(SignInView):
    """POST /api/login"""

    def post(self, request: Request) -> Response:
        parameters = LoginParameters.read(request.data)
        user = sign_in(parameters["username"], parameters["password"])
        return _signed_in(init_payload(user), user)


class TokenView(SignInView):
    """POST /api/token/: a pair of tokens, for clients that expect them"""

    def post(self, request: Request) -> Response:
        parameters = LoginParameters.read(request.data)
        user = sign_in(parameters["username"], parameters["password"])
        access = SessionToken.begin(user)
        return _tokens({"access": str(access), "refresh": str(access.refresh())})


class RefreshParameters(Parameters):
    refresh = TextParameter(max_length=4096)


class TokenRefreshView(SignInView):
    """POST /api/token/refresh/"""

    def post(self, request: Request) -> Response:
        parameters = RefreshParameters.read(request.data)
        _, token = read_token(parameters["refresh"], RefreshToken)
        return _tokens({"access": str(token.access())})


class InitView(APIView):
    """GET or POST /api/init"""

    def get(self, request: Request) -> Response:
        assert isinstance(request.user, User)
        return Response(init_payload(request.user))

    post = get


class ProjectLoginView(SignInView):
    """POST /api/p/<gid>/login"""

    def post(self, request: Request, gid: str) -> Response:
        parameters = LoginParameters.read(request.data)
        user = sign_in(parameters["username"], parameters["password"])
        membership = membership_for(user, gid_of(gid), Membership.Role.VIEWER)
        return _signed_in(project_init_payload(membership), user)


class ProjectKeyView(SignInView):
    """POST /api/p/<gid>/auth"""

    def post(self, request: Request, gid: str) -> Response:
        parameters = KeyParameters.read(request.data)
        user, api_key = sign_in_with_key(gid_of(gid), parameters["api_key"])
        membership = membership_for(user, gid_of(gid), Membership.Role.VIEWER)
        return _signed_in(project_init_payload(membership), user, api_key)


class ProjectInitView(ProjectView):
    """GET or POST /api/p/<gid>/init"""

    def get(self, request: Request, gid: str) -> Response:
        return Response(project_init_payload(self.membership))

    post = get
