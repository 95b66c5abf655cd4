"""/api/p/<gid>/backups/import"""

from typing import Any

from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response

from backups import imports
from backups.services import recorded
from backups.uploads import SCOPE_KEY, Upload
from backups.views.versions import CreateParameters
from projects.errors import InvalidParameters
from projects.models import Membership
from projects.parameters import TextParameter
from projects.permissions import ProjectView
from projects.throttles import CreateThrottle


class ImportParameters(CreateParameters):
    # Its hash, in the place of the file that config.uploads has received.
    upload_file = TextParameter()


class ImportView(ProjectView):
    """POST /api/p/<gid>/backups/import"""

    role = Membership.Role.MEMBER
    project_throttles = (CreateThrottle,)

    def post(self, request: Request, gid: str) -> Response:
        scope: dict[str, Any] = getattr(request._request, "scope", {})
        if SCOPE_KEY not in scope:
            raise UnsupportedMediaType(request.content_type or "")
        upload: Upload | None = scope[SCOPE_KEY]
        parameters = ImportParameters.read(request.data)
        if upload is None or parameters.pop("upload_file") != upload.sha256:
            raise InvalidParameters(upload_file="must be a file")
        with recorded("import"):
            return self.answer_once(lambda: self._import(upload, **parameters))

    def _import(self, upload: Upload, **parameters: Any) -> dict[str, Any]:
        backup, job = imports.import_version(
            project=self.project, requested_by=self.user, upload=upload, **parameters
        )
        return {
            "project": str(self.project.gid),
            "version": backup.version,
            "job.token": str(job.token),
        }
