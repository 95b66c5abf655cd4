"""/api/users/ and /api/members/: people with whom one shares a project."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from projects.access import gid_of, members_of, membership_for, people_known_to
from projects.errors import EntityUnknown
from projects.models import Membership
from projects.parameters import (
    GidParameter,
    ListParameter,
    Parameters,
    TextParameter,
    one_or_several,
)
from projects.permissions import caller
from projects.serializers import membership_entity, user_entity


class UsersParameters(Parameters):
    user = TextParameter(required=False)
    users = ListParameter(child=TextParameter(), required=False)


class UsersGetView(APIView):
    """POST /api/users/get"""

    def post(self, request: Request) -> Response:
        parameters = UsersParameters.read(request.data)
        texts = list(dict.fromkeys(one_or_several(parameters, "user", "users")))
        gids = {text: gid_of(text) for text in texts}
        known = {
            user.gid: user
            for user in people_known_to(caller(request)).filter(
                gid__in=[gid for gid in gids.values() if gid]
            )
        }
        if missing := [text for text, gid in gids.items() if gid not in known]:
            one = "user" in parameters
            raise EntityUnknown(**({"user": missing[0]} if one else {"users": missing}))
        result = {"user": texts[0]} if "user" in parameters else {"users": texts}
        entities = {str(gid): user_entity(user, caller(request)) for gid, user in known.items()}
        return Response({"result": result, "data": {"cc.users": entities}})


class MembersGetParameters(Parameters):
    project = GidParameter()
    member = TextParameter()


class MembersGetView(APIView):
    """POST /api/members/get"""

    def post(self, request: Request) -> Response:
        parameters = MembersGetParameters.read(request.data)
        own = membership_for(caller(request), parameters["project"], Membership.Role.VIEWER)
        gid = gid_of(parameters["member"])
        membership = members_of([own.project]).filter(user__gid=gid).first() if gid else None
        if membership is None:
            raise EntityUnknown(member=parameters["member"])
        return Response(
            {
                "result": {"project": str(own.project.gid), "member": parameters["member"]},
                "data": {"cc.projects_members": [membership_entity(membership)]},
            }
        )
