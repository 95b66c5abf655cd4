"""/api/projects/delete and what belongs to it: here, as it concerns jobs and versions."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backups import removal
from projects.access import owned_project
from projects.models import Project
from projects.parameters import GidParameter, Parameters, TextParameter
from projects.permissions import caller
from projects.serializers import project_entities


class ProjectParameters(Parameters):
    project = GidParameter()


def _owned(request: Request, gid: UUID | None) -> Project:
    return owned_project(caller(request), gid)


class DeleteView(APIView):
    """POST /api/projects/delete"""

    def post(self, request: Request) -> Response:
        project = _owned(request, ProjectParameters.read(request.data)["project"])
        removal.delete_project(project=project)
        return Response({"result": {"project": str(project.gid)}})


class UndeleteView(APIView):
    """POST /api/projects/undelete"""

    def post(self, request: Request) -> Response:
        project = _owned(request, ProjectParameters.read(request.data)["project"])
        removal.undelete_project(project=project)
        project.refresh_from_db()
        data = {"cc.projects": project_entities([project])}
        return Response({"result": {"project": str(project.gid)}, "data": data})


class PurgeParameters(ProjectParameters):
    confirm = TextParameter()


class PermanentDeleteView(APIView):
    """POST /api/projects/permanent_delete"""

    def post(self, request: Request) -> Response:
        parameters: dict[str, Any] = PurgeParameters.read(request.data)
        project = _owned(request, parameters["project"])
        job = removal.purge_project(
            project=project, requested_by=caller(request), confirm=parameters["confirm"]
        )
        return Response({"result": {"project": str(project.gid), "job.token": str(job.token)}})
