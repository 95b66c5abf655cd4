"""Base of the views below /api/p/<gid>/."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.views import APIView

from projects.access import gid_of, membership_for
from projects.models import Membership, Project, User


class ProjectView(APIView):
    """A view of one project. `role` is the smallest role that may call it.

    Membership is checked before the body is read, so that a stranger learns nothing from the
    order of errors. `self.membership` holds the caller's.
    """

    role: ClassVar[str] = Membership.Role.VIEWER
    membership: Membership

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.membership = membership_for(self.user, gid_of(kwargs["gid"]), self.role)

    @property
    def user(self) -> User:
        assert isinstance(self.request.user, User)
        return self.request.user

    @property
    def project(self) -> Project:
        return self.membership.project
