"""/api/p/<gid>/backups/clone"""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from backups import cloning
from backups.findings import as_fields
from backups.services import recorded
from backups.views.versions import VersionParameters
from projects.errors import NotAllowed
from projects.models import Membership, Project, User
from projects.parameters import BooleanParameter, NameParameter
from projects.permissions import ProjectView
from projects.serializers import project_entities


class CloneParameters(VersionParameters):
    name = NameParameter(required=False)
    dry = BooleanParameter(required=False)


class CloneView(ProjectView):
    """POST /api/p/<gid>/backups/clone"""

    role = Membership.Role.MEMBER

    def post(self, request: Request, gid: str) -> Response:
        if self.user.kind != User.Kind.PERSON:
            raise NotAllowed
        parameters = CloneParameters.read(request.data)
        if parameters.pop("dry", False):
            return Response({"result": self._plan(**parameters)})
        with recorded("clone"):
            return self.answer_once(lambda: self._clone(**parameters), self._made)

    def _plan(self, version: int, name: str | None = None) -> dict[str, Any]:
        backup = cloning.plan_clone(
            project=self.project, owner=self.user, version=version, name=name
        )
        return {
            "project": str(self.project.gid),
            "version": backup.version,
            **as_fields(backup.findings),
        }

    def _clone(self, version: int, name: str | None = None) -> dict[str, Any]:
        clone, backup, job = cloning.clone_backup(
            project=self.project,
            owner=self.user,
            requested_by=self.user,
            version=version,
            name=name,
        )
        return {
            "project": str(clone.gid),
            "version": backup.version,
            **as_fields(backup.findings),
            "job.token": str(job.token),
        }

    def _made(self, result: dict[str, Any]) -> dict[str, Any]:
        clones = Project.objects.filter(gid=result["project"], owner=self.user)
        return {"cc.projects": project_entities(list(clones))}
