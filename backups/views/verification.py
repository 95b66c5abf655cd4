"""/api/p/<gid>/backups/verify"""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from backups import verification
from backups.services import recorded
from backups.views.versions import VersionParameters
from projects.models import Membership
from projects.permissions import ProjectView


class VerifyView(ProjectView):
    """POST /api/p/<gid>/backups/verify"""

    role = Membership.Role.MEMBER

    def post(self, request: Request, gid: str) -> Response:
        parameters = VersionParameters.read(request.data)
        with recorded("verify"):
            return self.answer_once(lambda: self._verify(parameters["version"]))

    def _verify(self, version: int) -> dict[str, Any]:
        backup, job = verification.verify_backup(
            project=self.project, requested_by=self.user, version=version
        )
        return {
            "project": str(self.project.gid),
            "version": backup.version,
            "job.token": str(job.token),
        }
