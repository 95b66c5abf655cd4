"""/api/p/<gid>/members/: what an owner does with the members."""

from rest_framework.request import Request
from rest_framework.response import Response

from projects import services
from projects.access import gid_of, members_of
from projects.errors import EntityUnknown
from projects.models import Membership, User
from projects.parameters import Parameters, TextParameter
from projects.permissions import ProjectView
from projects.serializers import membership_entity, user_entity
from projects.throttles import MemberThrottle


class MemberParameters(Parameters):
    user = TextParameter(max_length=150)


class SetMemberParameters(MemberParameters):
    role = TextParameter()


class MemberView(ProjectView):
    """Base of what an owner does with one member."""

    role = Membership.Role.OWNER
    project_throttles = (MemberThrottle,)

    def answer(self, membership: Membership) -> Response:
        return Response(
            {
                "result": {
                    "project": str(self.project.gid),
                    "member": str(membership.user.gid),
                },
                "data": {
                    "cc.users": {str(membership.user.gid): user_entity(membership.user, self.user)},
                    "cc.projects_members": [membership_entity(membership)],
                },
            }
        )


def person_named(text: str) -> User:
    """The person with this gid or username; raises EntityUnknown."""
    people = User.objects.filter(kind=User.Kind.PERSON)
    gid = gid_of(text)
    user = people.filter(gid=gid).first() if gid else people.filter(username=text).first()
    if user is None:
        raise EntityUnknown(user=text)
    return user


class MembersSetView(MemberView):
    """POST /api/p/<gid>/members/set"""

    def post(self, request: Request, gid: str) -> Response:
        parameters = SetMemberParameters.read(request.data)
        membership = services.set_member(
            project=self.project, user=person_named(parameters["user"]), role=parameters["role"]
        )
        return self.answer(membership)


class MembersRemoveView(MemberView):
    """POST /api/p/<gid>/members/remove"""

    def post(self, request: Request, gid: str) -> Response:
        parameters = MemberParameters.read(request.data)
        user = person_named(parameters["user"])
        membership = members_of([self.project]).filter(user=user).first()
        if membership is None:
            raise EntityUnknown(user=parameters["user"])
        services.remove_member(membership=membership)
        return self.answer(membership)
