"""/api/projects, /api/users, /api/members and a project's members and keys."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from projects import services
from projects.access import gid_of, members_of, membership_for, memberships_of, people_known_to
from projects.errors import EntityUnknown, InvalidParameters, NotAllowed
from projects.models import ApiKey, Membership, Project, User
from projects.parameters import (
    GidParameter,
    ListParameter,
    NameParameter,
    ObjectParameter,
    Parameters,
    TextParameter,
    TimeParameter,
)
from projects.permissions import ProjectView
from projects.serializers import (
    api_key_entity,
    membership_entity,
    project_entities,
    user_entity,
)


def caller(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


def one_or_several(parameters: dict[str, Any], one: str, several: str) -> list[Any]:
    """What a call names by `one` or `several`; `one` wins. Raises InvalidParameters for neither."""
    if one in parameters:
        return [parameters[one]]
    if several in parameters:
        return list(parameters[several])
    raise InvalidParameters(**{one: f"is required, or {several}"})


class ProjectsParameters(Parameters):
    project = GidParameter(required=False)
    projects = ListParameter(child=GidParameter(), required=False)


class ProjectsGetView(APIView):
    """POST /api/projects/get"""

    def post(self, request: Request) -> Response:
        parameters = ProjectsParameters.read(request.data)
        gids = one_or_several(parameters, "project", "projects")
        known = {item.project.gid: item.project for item in memberships_of(caller(request))}
        if any(gid not in known for gid in gids):
            raise NotAllowed
        texts = [str(gid) for gid in gids]
        result = {"project": texts[0]} if "project" in parameters else {"projects": texts}
        entities = project_entities(known[gid] for gid in dict.fromkeys(gids))
        return Response({"result": result, "data": {"cc.projects": entities}})


class UsersParameters(Parameters):
    user = TextParameter(required=False)
    users = ListParameter(child=TextParameter(), required=False)


class UsersGetView(APIView):
    """POST /api/users/get"""

    def post(self, request: Request) -> Response:
        parameters = UsersParameters.read(request.data)
        texts = one_or_several(parameters, "user", "users")
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


class CreateProjectParameters(Parameters):
    name = NameParameter(required=False)
    timezone = TextParameter(required=False)


class ProjectsCreateView(APIView):
    """POST /api/projects/create"""

    def post(self, request: Request) -> Response:
        if caller(request).kind != User.Kind.PERSON:
            raise NotAllowed
        parameters = CreateProjectParameters.read(request.data)
        project = services.create_project(owner=caller(request), **parameters)
        members = list(members_of([project]))
        return Response(
            {
                "result": {
                    "project": str(project.gid),
                    "project_members": [str(item.user.gid) for item in members],
                },
                "data": {
                    "cc.projects": project_entities([project]),
                    "cc.projects_members": [membership_entity(item) for item in members],
                },
            }
        )


class UpdateProjectParameters(Parameters):
    project = GidParameter()
    name = NameParameter(required=False)
    options = ObjectParameter(required=False)


class ProjectsUpdateView(APIView):
    """POST /api/projects/update"""

    def post(self, request: Request) -> Response:
        parameters = UpdateProjectParameters.read(request.data)
        own = membership_for(caller(request), parameters.pop("project"), Membership.Role.OWNER)
        services.update_project(project=own.project, **parameters)
        return Response(
            {
                "result": {"project": str(own.project.gid)},
                "data": {"cc.projects": project_entities([own.project])},
            }
        )


class MemberParameters(Parameters):
    user = TextParameter(max_length=150)


class SetMemberParameters(MemberParameters):
    role = TextParameter()


class MemberView(ProjectView):
    """Base of what an owner does with one member."""

    role = Membership.Role.OWNER

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
    gid: UUID | None = gid_of(text)
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


class CreateKeyParameters(Parameters):
    name = NameParameter()
    role = TextParameter()
    expires_on = TimeParameter(required=False)


class KeysCreateView(ProjectView):
    """POST /api/p/<gid>/api_keys/create"""

    role = Membership.Role.OWNER

    def post(self, request: Request, gid: str) -> Response:
        parameters = CreateKeyParameters.read(request.data)
        made = services.create_api_key(project=self.project, **parameters)
        return Response({"result": {"api_key": made.text, "prefix": made.api_key.prefix}})


def keys_answer(project: Project) -> Response:
    api_keys = ApiKey.objects.filter(project=project).select_related("user")
    roles = dict(Membership.objects.filter(project=project).values_list("user_id", "role"))
    entities = [api_key_entity(item, roles[item.user_id]) for item in api_keys]
    return Response({"result": {"project": str(project.gid), "api_keys": entities}})


class KeysListView(ProjectView):
    """POST /api/p/<gid>/api_keys/list"""

    role = Membership.Role.OWNER

    def post(self, request: Request, gid: str) -> Response:
        return keys_answer(self.project)


class RevokeKeyParameters(Parameters):
    prefix = TextParameter(max_length=16)


class KeysRevokeView(ProjectView):
    """POST /api/p/<gid>/api_keys/revoke"""

    role = Membership.Role.OWNER

    def post(self, request: Request, gid: str) -> Response:
        parameters = RevokeKeyParameters.read(request.data)
        api_key = ApiKey.objects.filter(project=self.project, prefix=parameters["prefix"]).first()
        if api_key is None:
            raise EntityUnknown(prefix=parameters["prefix"])
        services.revoke_api_key(api_key=api_key)
        return keys_answer(self.project)
