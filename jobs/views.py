"""/sync: the event log by polling."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs import events
from projects.access import membership_for, visible_project_gids
from projects.models import Membership, User
from projects.parameters import GidParameter, IntegerParameter, Parameters


class CursorsParameters(Parameters):
    project = GidParameter(required=False)


class CursorsView(APIView):
    """POST /sync/cursors: where the logs stand now."""

    def post(self, request: Request) -> Response:
        parameters = CursorsParameters.read(request.data)
        result = {"cc.cursor": events.latest_cursor()}
        if "project" in parameters:
            assert isinstance(request.user, User)
            membership_for(request.user, parameters["project"], Membership.Role.VIEWER)
            result["cursor"] = 0
        return Response({"result": result})


class GetParameters(Parameters):
    cc_cursor = IntegerParameter()
    project = GidParameter(required=False)
    cursor = IntegerParameter(required=False)


class GetView(APIView):
    """POST /sync/get: what came after a cursor."""

    def post(self, request: Request) -> Response:
        parameters = GetParameters.read(request.data)
        assert isinstance(request.user, User)
        if "project" in parameters:
            membership_for(request.user, parameters["project"], Membership.Role.VIEWER)
        found = list(
            events.events_after(
                parameters["cc_cursor"],
                project_gids=visible_project_gids(request.user),
                user_gids=[request.user.gid],
            )[: events.PAGE + 1]
        )
        # Checked after the reading: what was trimmed meanwhile can't be missed unnoticed.
        events.check_cursor(parameters["cc_cursor"])
        result: dict[str, object] = {
            "sync": [events.wire_event(event) for event in found[: events.PAGE]]
        }
        if len(found) > events.PAGE:
            result["warning"] = "there are more events: call again with the last cursor"
        return Response({"result": result})
