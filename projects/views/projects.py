"""/api/projects/"""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from projects import services
from projects.access import members_of, membership_for, memberships_of
from projects.errors import NotAllowed
from projects.models import Membership, User
from projects.parameters import (
    GidParameter,
    ListParameter,
    NameParameter,
    ObjectParameter,
    Parameters,
    TextParameter,
    one_or_several,
)
from projects.permissions import caller
from projects.serializers import membership_entity, project_entities


class ProjectsParameters(Parameters):
    project = GidParameter(required=False)
    projects = ListParameter(child=GidParameter(), required=False)


class ProjectsGetView(APIView):
    """POST /api/projects/get"""

    def post(self, request: Request) -> Response:
        parameters = ProjectsParameters.read(request.data)
        gids = list(dict.fromkeys(one_or_several(parameters, "project", "projects")))
        known = {item.project.gid: item.project for item in memberships_of(caller(request))}
        if any(gid not in known for gid in gids):
            raise NotAllowed
        texts = [str(gid) for gid in gids]
        result = {"project": texts[0]} if "project" in parameters else {"projects": texts}
        entities = project_entities(known[gid] for gid in gids)
        return Response({"result": result, "data": {"cc.projects": entities}})


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
