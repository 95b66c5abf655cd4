"""/api/p/<gid>/backups/: validate, ask the service, answer."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from backups import services
from backups.names import visible_text
from projects.models import Membership
from projects.parameters import IntegerParameter, Parameters, TextParameter
from projects.permissions import ProjectView
from projects.serializers import project_entities


class CreateParameters(Parameters):
    created_by = TextParameter(max_length=200)
    # Its rules have a code of their own, so the service checks them.
    name = TextParameter(required=False, allow_blank=True)

    def validate_created_by(self, value: str) -> str:
        if not visible_text(value):
            raise ValidationError("must not be blank")
        return value


class CreateView(ProjectView):
    """POST /api/p/<gid>/backups/create"""

    role = Membership.Role.MEMBER

    def post(self, request: Request, gid: str) -> Response:
        parameters = CreateParameters.read(request.data)
        backup, job = services.create_backup(
            project=self.project,
            requested_by=self.user,
            created_by=parameters["created_by"],
            name=parameters.get("name"),
        )
        entities = project_entities([self.project])
        # Here alone a version is told of before it is complete: the caller wants its number.
        versions = entities[gid]["backups"]["versions"]
        if all(item["version"] != backup.version for item in versions):
            versions.insert(0, backup.wire())
        return Response(
            {
                "result": {
                    "project": gid,
                    "version": backup.version,
                    "last_backed_up": backup.created_on.timestamp(),
                    "job.token": str(job.token),
                },
                "data": {"cc.projects": entities},
            }
        )


class RestoreParameters(Parameters):
    version = IntegerParameter()


class RestoreView(ProjectView):
    """POST /api/p/<gid>/backups/restore"""

    role = Membership.Role.MEMBER

    def post(self, request: Request, gid: str) -> Response:
        parameters = RestoreParameters.read(request.data)
        backup, job = services.restore_backup(
            project=self.project, requested_by=self.user, version=parameters["version"]
        )
        return Response(
            {
                "result": {
                    "project": gid,
                    "version": backup.version,
                    "last_restored": backup.created_on.timestamp(),
                    "job.token": str(job.token),
                }
            }
        )
