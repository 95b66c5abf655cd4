"""/api/p/<gid>/backups/<version>/download"""

from django.http import HttpResponseBase
from rest_framework.request import Request

from backups.files import file_answer
from backups.services import restorable_version
from projects.models import Membership
from projects.permissions import ProjectView


class DownloadView(ProjectView):
    """GET /api/p/<gid>/backups/<version>/download"""

    role = Membership.Role.MEMBER

    def get(self, request: Request, gid: str, version: int) -> HttpResponseBase:
        return self._answer(request, version, with_body=True)

    def head(self, request: Request, gid: str, version: int) -> HttpResponseBase:
        return self._answer(request, version, with_body=False)

    def _answer(self, request: Request, version: int, *, with_body: bool) -> HttpResponseBase:
        return file_answer(
            request._request,
            restorable_version(self.project, version),
            self.user,
            # Only GET has ranges (RFC 9110, 14.2).
            wanted=request.headers.get("Range") if with_body else None,
            only_if=request.headers.get("If-Range"),
            with_body=with_body,
        )
